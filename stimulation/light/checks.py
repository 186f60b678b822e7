"""Checks of the plain values that parts of light are made of, and building parts from plain data."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from numbers import Real
from typing import Any, TypeVar

from ...errors import InputError

__all__ = ["build_part", "check_choice", "check_count", "check_keys", "check_number", "plain"]

Part = TypeVar("Part")


def check_number(
    key: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    whole: bool = False,
) -> None:
    """Refuse what is not a finite number within bounds.

    Raises:
        InputError: With the key, the value and the bounds.

    Example:
        >>> check_number("probability", float("nan"), above=0, at_most=1)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: probability is nan; it must be a finite number, above 0, at most 1
    """
    bounds = [("above", above), ("at least", at_least), ("at most", at_most)]
    allowed = ", ".join(
        [
            "a whole number" if whole else "a finite number",
            *(f"{word} {bound:g}" for word, bound in bounds if bound is not None),
        ]
    )
    if isinstance(value, str) and _reads_as_number(value):
        raise InputError(f"{key} is the text {value!r}; it must be {allowed} (YAML reads 1.0e-4 as a number, not 1e-4)")
    fine = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if fine:
        number = float(value)
        fine = (above is None or number > above) and (at_least is None or number >= at_least)
        fine = fine and (at_most is None or number <= at_most) and (not whole or number.is_integer())
    if not fine:
        raise InputError(f"{key} is {value!r}; it must be {allowed}")


def check_count(key: str, value: Any, *, at_least: int = 0) -> None:
    """Refuse what is not a whole number from a lower bound on.

    Raises:
        InputError: With the key, the value and the bound.

    Example:
        >>> check_count("hold", 0, at_least=1)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: hold is 0; it must be a whole number, at least 1
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise InputError(f"{key} is {value!r}; it must be a whole number, at least {at_least}")


def check_choice(key: str, value: Any, allowed: Sequence[str]) -> None:
    """Refuse what is not one of some words.

    Raises:
        InputError: With the key, the value, the nearest word and all words.

    Example:
        >>> check_choice("unit", "step", ("steps", "epochs"))
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: unit is 'step' (did you mean 'steps'?); it must be one of steps, epochs
    """
    if value not in allowed:
        raise InputError(f"{key} is {value!r}{_nearest(value, allowed)}; it must be one of {', '.join(allowed)}")


def check_keys(key: str, given: Mapping[Any, Any], allowed: Sequence[str]) -> None:
    """Refuse keys that are unknown.

    Raises:
        InputError: With the first unknown key, the nearest one and all that are known.

    Example:
        >>> check_keys("light", {"windw": 3}, ("window", "pulse"))
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: light has no key 'windw' (did you mean 'window'?); its keys are window, pulse
    """
    for name in given:
        if name not in allowed:
            raise InputError(f"{key} has no key {name!r}{_nearest(name, allowed)}; its keys are {', '.join(allowed)}")


def build_part(part: type[Part], value: Any, key: str) -> Part:
    """Return a part of light made from a mapping of its values.

    Args:
        part: Its dataclass.
        value: The mapping.
        key: Where it stands, for messages.

    Raises:
        InputError: If it is no mapping, a key is unknown or missing, or a value is not allowed.

    Example:
        >>> from axonlight.stimulation.light.window import Window
        >>> build_part(Window, {"start": 100, "stop": 1000}, "light.window")
        Window(start=100, stop=1000, unit='steps', patience=1)
    """
    known = fields(part)  # type: ignore[arg-type]
    names = [item.name for item in known]
    if not isinstance(value, Mapping):
        raise InputError(f"{key} is {value!r}; it must be a mapping with keys {', '.join(names)}")
    check_keys(key, value, names)
    required = [item.name for item in known if item.default is MISSING and item.default_factory is MISSING]
    missing = [name for name in required if name not in value]
    if missing:
        raise InputError(f"{key} has no {missing[0]!r}; it needs {', '.join(required)}")
    try:
        return part(**value)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None


def plain(part: Any) -> dict[str, Any]:
    """Return the values of a part that are not its defaults, whole numbers as int, so that equal parts read the same.

    Example:
        >>> from axonlight.stimulation.light.window import Window
        >>> plain(Window(100.0, 1000))
        {'start': 100, 'stop': 1000}
    """
    values = {item.name: getattr(part, item.name) for item in fields(part)}
    changed = {item.name: values[item.name] for item in fields(part) if values[item.name] != item.default}
    return {name: int(value) if _is_whole_float(value) else value for name, value in changed.items()}


def _is_whole_float(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _nearest(name: Any, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), allowed, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
