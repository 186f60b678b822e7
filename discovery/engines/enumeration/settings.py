"""What decides a search space, checked when it is given."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....activations.formula.tree import MAX_MAGNITUDE
from ....errors import InputError
from .arithmetic import ENUMERABLE

__all__ = ["MOST_NODES", "PUBLISHED_OPERATORS", "SpaceSettings"]

# The function set of arXiv 2601.10740.
PUBLISHED_OPERATORS = ("add", "sub", "mul", "sin", "cos", "abs")
# A chain of so many functions is still within the depth that the grammar reads.
MOST_NODES = 60


@dataclass(frozen=True)
class SpaceSettings:
    """Operators, numbers and sizes of a search space.

    Raises:
        InputError: If one of them cannot be used.

    Example:
        >>> from axonlight.discovery.engines.enumeration.settings import SpaceSettings
        >>> SpaceSettings.checked(3, ["mul", "cos"], [0.5], budget=100).numbers
        (0.5,)
    """

    max_nodes: int
    operators: tuple[str, ...]
    numbers: tuple[float, ...]
    budget: int

    @classmethod
    def checked(
        cls, max_nodes: int, operators: Sequence[str], numbers: Sequence[float], budget: int
    ) -> "SpaceSettings":
        """Return the settings of a space that can be enumerated."""
        if isinstance(max_nodes, bool) or not isinstance(max_nodes, int) or not 1 <= max_nodes <= MOST_NODES:
            raise InputError(f"max_nodes is {max_nodes!r}; it must be a whole number from 1 to {MOST_NODES}")
        if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
            raise InputError(f"budget is {budget!r}; it must be a positive whole number of formulas")
        return cls(max_nodes, _operators(operators), _numbers(numbers), budget)


def _operators(operators: Sequence[str]) -> tuple[str, ...]:
    if isinstance(operators, str) or not isinstance(operators, Sequence) or not operators:
        raise InputError(f"operators is {operators!r:.60}; it must be a list of {', '.join(ENUMERABLE)}")
    for name in operators:
        if name not in ENUMERABLE:
            near = difflib.get_close_matches(str(name), ENUMERABLE, n=3)
            hint = f"nearest are {', '.join(near)}" if near else f"allowed are {', '.join(ENUMERABLE)}"
            raise InputError(f"operators names {name!r:.40}, which cannot be enumerated; {hint}")
    return tuple(dict.fromkeys(operators))


def _numbers(numbers: Sequence[float]) -> tuple[float, ...]:
    if isinstance(numbers, str) or not isinstance(numbers, Sequence):
        raise InputError(f"numbers is {numbers!r:.60}; it must be a list of numbers")
    for number in numbers:
        plain = isinstance(number, int | float) and not isinstance(number, bool)
        if not plain or not math.isfinite(number) or abs(number) > MAX_MAGNITUDE:
            raise InputError(f"numbers holds {number!r:.40}; each must be a number up to {MAX_MAGNITUDE:g} in size")
    return tuple(dict.fromkeys(float(number) for number in numbers))
