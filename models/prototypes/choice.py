"""Choose a rule by name, by text with options, or by class."""

import difflib
import inspect
from collections.abc import Callable

from ...activations.specs.text import SpecText, read_literal
from ...errors import InputError
from .assignment import PrototypeAssignment
from .gaussian_mixture import GaussianMixtureAssignment
from .similarity import CosineAssignment, StudentTAssignment
from .sinkhorn import SinkhornAssignment
from .slot import SlotAssignment

__all__ = ["ASSIGNMENTS", "AssignmentSpec", "build_assignment"]

ASSIGNMENTS: dict[str, type[PrototypeAssignment]] = {
    "cosine": CosineAssignment,
    "gaussian_mixture": GaussianMixtureAssignment,
    "sinkhorn": SinkhornAssignment,
    "slot": SlotAssignment,
    "student_t": StudentTAssignment,
}
_SIZES = ("self", "width", "num_prototypes")

AssignmentSpec = str | Callable[[int, int], PrototypeAssignment]


def build_assignment(
    spec: AssignmentSpec, width: int, num_prototypes: int, temperature: float | None = None
) -> PrototypeAssignment:
    """Build a rule from text such as `cosine` or `sinkhorn(iterations=3)`, or by a class or factory.

    Args:
        spec: Name of `ASSIGNMENTS`, with options in brackets; or what makes a rule from (width, num_prototypes).
        width: Width d of tokens.
        num_prototypes: Prototypes K.
        temperature: Given to a rule named by text that takes one, unless the text does so itself.

    Raises:
        InputError: If there is no such rule, it has no such option, or the factory makes something else.

    Example:
        >>> build_assignment("sinkhorn(iterations=3)", 8, 4, temperature=0.2)
        SinkhornAssignment(temperature=0.2, iterations=3, balance=1.0)
        >>> build_assignment("sinkorn", 8, 4)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: assignment is 'sinkorn'; its name must be one of ...; did you mean 'sinkhorn'?
    """
    if isinstance(spec, str):
        return _from_text(spec, width, num_prototypes, temperature)
    rule = spec(width, num_prototypes)
    if not isinstance(rule, PrototypeAssignment):
        raise InputError(f"assignment makes a {type(rule).__name__}; it must make a PrototypeAssignment")
    return rule


def _from_text(text: str, width: int, num_prototypes: int, temperature: float | None) -> PrototypeAssignment:
    try:
        parts = SpecText(text.strip())
    except InputError as error:
        raise InputError(f"assignment is {text!r}; write a name or name(option=value, ...)") from error
    name = parts.name.lower().replace("-", "_").replace(" ", "_")
    if name not in ASSIGNMENTS:
        near = difflib.get_close_matches(name, ASSIGNMENTS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"assignment is {text!r}; its name must be one of {', '.join(ASSIGNMENTS)}{hint}")
    rule = ASSIGNMENTS[name]
    known = [option for option in inspect.signature(rule.__init__).parameters if option not in _SIZES]
    if parts.arguments or not set(parts.keywords) <= set(known):
        raise InputError(f"assignment is {text!r}; {name} takes {', '.join(known)}, each written as option=value")
    options = {option: read_literal(value, f"{name}: {option}") for option, value in parts.keywords.items()}
    if temperature is not None and "temperature" in known:
        options.setdefault("temperature", temperature)
    try:
        return rule(width, num_prototypes, **options)
    except TypeError as error:
        raise InputError(f"assignment {text!r} cannot be built: {error}") from error
