"""Checks that engines share."""

import difflib
from collections.abc import Sequence

from ...errors import InputError

__all__ = ["check_counts", "check_operators"]


def check_counts(**counts: int) -> None:
    """Refuse counts that are not positive integers.

    Example:
        >>> check_counts(generations=0)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: generations is 0; it must be a positive integer
    """
    for name, value in counts.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole and value > 0):
            raise InputError(f"{name} is {value!r}; it must be a positive integer")


def check_operators(operators: Sequence[str], allowed: Sequence[str], engine: str) -> tuple[str, ...]:
    """Return the operators, each once; refuse unknown ones.

    Example:
        >>> check_operators(("add", "sine"), ("add", "sin"), "gplearn")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: operators of engine gplearn names 'sine'; nearest are sin
    """
    if isinstance(operators, str) or not operators:
        raise InputError(f"operators is {operators!r}; it must be a list of names out of {', '.join(sorted(allowed))}")
    for name in operators:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), allowed, n=3) or sorted(allowed)
            raise InputError(f"operators of engine {engine} names '{name}'; nearest are {', '.join(near)}")
    return tuple(dict.fromkeys(operators))
