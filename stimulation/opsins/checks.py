"""Checks of the values of opsins, beside those of light."""

import math
from typing import Any

from ...errors import InputError
from ..light.checks import check_choice, check_count, check_number

__all__ = ["check_choice", "check_count", "check_flag", "check_number", "check_site", "is_number"]


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number.

    Example:
        >>> is_number(2), is_number(True), is_number(float("nan"))
        (True, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_flag(key: str, value: Any) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise InputError(f"{key} is {value!r}; it must be true or false")


def check_site(key: str, value: Any) -> None:
    """Refuse what cannot be the name of one site."""
    if not isinstance(value, str) or not value or any(sign in value for sign in "*?"):
        raise InputError(f"{key} is {value!r}; it must be the name of one site, without wild-cards")
