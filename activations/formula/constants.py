"""The named constants of a formula: where they start, and which of them are trained."""

import math
from collections.abc import Collection, Mapping, Sequence

from ...errors import InputError
from .grammar import check_constant_name
from .tree import MAX_MAGNITUDE

__all__ = ["starting_values", "trainable_names"]


def starting_values(
    names: Sequence[str], given: Mapping[str, float | Sequence[float]], num_parameters: int
) -> dict[str, list[float]]:
    """Return `num_parameters` starting values per constant; those not given start at 1.

    Raises:
        InputError: If a given name is not in the formula, or a value is no number within the limits.

    Example:
        >>> from axonlight.activations.formula.constants import starting_values
        >>> starting_values(("a", "b"), {"b": 0.5}, num_parameters=2)
        {'a': [1.0, 1.0], 'b': [0.5, 0.5]}
    """
    if not isinstance(given, Mapping):
        raise InputError(f"constants is {given!r:.60}; it must map names to numbers, such as {{'a': 1.0}}")
    for name in given:
        check_constant_name(name)
    _refuse_strangers("constants", given, names)
    return {name: _values(name, given.get(name, 1.0), num_parameters) for name in names}


def trainable_names(trainable: bool | str | Collection[str], names: Sequence[str]) -> frozenset[str]:
    """Return the names of the constants that are trained.

    Raises:
        InputError: If `trainable` names what is not in the formula.

    Example:
        >>> from axonlight.activations.formula.constants import trainable_names
        >>> trainable_names("a", ("a", "b"))
        frozenset({'a'})
    """
    if isinstance(trainable, bool):
        return frozenset(names if trainable else ())
    chosen = [trainable] if isinstance(trainable, str) else trainable
    if not isinstance(chosen, Collection) or not all(isinstance(name, str) for name in chosen):
        raise InputError(f"trainable is {trainable!r:.60}; it must be true, false or names of constants")
    _refuse_strangers("trainable", chosen, names)
    return frozenset(chosen)


def _refuse_strangers(key: str, given: Collection[str], names: Sequence[str]) -> None:
    strangers = sorted(set(given) - set(names))
    if strangers:
        allowed = f"its constants are {', '.join(names)}" if names else "it has no constants"
        raise InputError(f"{key} names {strangers[0]!a:.40}, which is not in the formula; {allowed}")


def _values(name: str, value: object, num_parameters: int) -> list[float]:
    values = [value] * num_parameters if isinstance(value, int | float) else value
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != num_parameters:
        raise InputError(f"constant {name} is {value!r:.60}; it must be a number or a list of {num_parameters} numbers")
    for number in values:
        plain = isinstance(number, int | float) and not isinstance(number, bool)
        if not plain or not math.isfinite(number) or abs(number) > MAX_MAGNITUDE:
            raise InputError(f"constant {name} is {number!r:.60}; it must be a number up to {MAX_MAGNITUDE:g} in size")
    return [float(number) for number in values]
