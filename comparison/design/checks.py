"""What the parts of a study file are checked with: known keys, whole numbers, names."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import InputError, shown

__all__ = ["check_count", "check_distinct", "check_keys", "check_list", "check_mapping", "check_text", "nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the nearest known name, or all of them.

    Example:
        >>> nearest("fold", ["folds", "seeds"])
        "; did you mean 'folds'?"
        >>> nearest("x", ["folds", "seeds"])
        '; known are folds, seeds'
    """
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known are {shown(known, 12)}"


def check_keys(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse unknown keys.

    Raises:
        InputError: Naming the first unknown key and the nearest known one.
    """
    known = list(known)
    for key in given:
        if key not in known:
            raise InputError(f"{where} has the unknown key '{key}'{nearest(str(key), known)}")


def check_mapping(where: str, value: Any) -> Mapping[str, Any]:
    """Return the value if it is a mapping, with keys as text; an empty one where YAML has nothing.

    The key that a file writes as null, for a null model, is what YAML reads as None.

    Raises:
        InputError: If it is something else, or a key is what YAML takes for true or false, such as on.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{where} is {str(value)[:60]!r}; it must be a mapping of keys and values")
    for key in value:
        if isinstance(key, bool):
            words = "on, yes and true" if key else "off, no and false"
            raise InputError(f"{where} has the key {key}, which YAML reads from {words}; put the name in quotes")
        if key == "":
            raise InputError(f"{where} has a key without a name; give it one")
    return {"null" if key is None else str(key): item for key, item in value.items()}


def check_list(where: str, value: Any, example: str) -> Sequence[Any]:
    """Return the value if it is a list.

    Raises:
        InputError: If it is something else, showing an example.
    """
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise InputError(f"{where} is {str(value)[:60]!r}; it must be a list, such as {example}")
    return value


def check_distinct(where: str, values: Sequence[Any]) -> None:
    """Refuse a list that names something twice.

    Raises:
        InputError: Naming it.
    """
    for place, value in enumerate(values):
        if value in values[:place]:
            raise InputError(f"{where} holds {value} twice; take one of them out")


def check_text(where: str, value: Any) -> str:
    """Return the value if it is text.

    Raises:
        InputError: If it is something else.
    """
    if not isinstance(value, str):
        raise InputError(f"{where} is {str(value)[:60]!r}, which is no text; put it in quotes")
    return value


def check_count(where: str, value: Any, least: int = 1) -> int:
    """Return the value if it is a whole number, at least `least`.

    Raises:
        InputError: If it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{where} is {value!r}; it must be a whole number, at least {least}")
    return value
