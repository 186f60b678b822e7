"""Which steps are examined, and what of them the loggers get."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["due_step", "logged_numbers"]

_LOGGED = ("output_std", "gain", "saturated", "dead", "passed_percent")


def due_step(step: int, every: int) -> int:
    """Return the first examined step from `step` on: 0, powers of two below `every`, and multiples of it.

    Example:
        >>> [due_step(step, 100) for step in (0, 1, 3, 5, 65, 100, 101)]
        [0, 1, 4, 8, 100, 100, 200]
    """
    doubling = 1 << max(step - 1, 0).bit_length() if step else 0
    return doubling if doubling < every else math.ceil(step / every) * every


def logged_numbers(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the main numbers of an examination under the names that loggers get.

    Example:
        >>> logged_numbers([{"activation": "hidden_0", "gain": 0.6, "dead": 0.0, "output_std": math.nan}])
        {'doctor/hidden_0/gain': 0.6, 'doctor/hidden_0/dead': 0.0}
    """
    return {
        f"doctor/{row['activation']}/{name}": row[name]
        for row in rows
        for name in _LOGGED
        if name in row and math.isfinite(row[name])
    }
