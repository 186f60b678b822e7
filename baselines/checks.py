"""What every floor asks of its arrays.

Shapes: N training rows, M scored rows, F features.
"""

import difflib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..errors import InputError

__all__ = ["check_names", "checked_classes", "checked_features", "checked_survival"]


def checked_features(name: str, x: Any, rows: int, width: int | None = None) -> np.ndarray:
    """Return `x` as float64 (rows, F).

    Args:
        name: What messages call it.
        x: Array-like.
        rows: Number of rows of its target.
        width: Number of columns it must have, or None.

    Raises:
        InputError: If it has another shape or holds a value that is not finite.
    """
    array = np.asarray(x, dtype=np.float64)
    if array.ndim != 2 or len(array) != rows or not rows or (width is not None and array.shape[1] != width):
        columns = "F" if width is None else str(width)
        raise InputError(f"{name} has shape {array.shape}; with its target it must be ({rows}, {columns}), not empty")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise InputError(
            f"{name} holds {array[row, column]} in row {row}, column {column}; impute missing values first"
        )
    return array


def checked_classes(name: str, y: Any, num_classes: int | None = None) -> np.ndarray:
    """Return `y` as int64 (N,).

    Args:
        name: What messages call it.
        y: Array-like of classes 0, 1, ...
        num_classes: Number of classes there are, or None.

    Raises:
        InputError: If it is not one-dimensional or holds something else than a class.
    """
    array = np.asarray(y)
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}; it must be one-dimensional")
    classes = array.astype(np.int64)
    allowed = np.inf if num_classes is None else num_classes
    wrong = np.flatnonzero((classes != array) | (classes < 0) | (classes >= allowed))
    if len(wrong):
        known = "0, 1, ..." if num_classes is None else f"0 to {num_classes - 1}"
        raise InputError(f"{name} holds {array[wrong[0]]} in row {wrong[0]}; classes are {known}")
    return classes


def check_names(floors: Sequence[str], known: Collection[str]) -> None:
    """Refuse a floor that does not exist.

    Raises:
        InputError: Naming the nearest that does.
    """
    for name in floors:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise InputError(f"there is no floor '{name}', only {', '.join(known)}{hint}")


def checked_survival(name: str, time: Any, event: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return times as float64 (N,) and events as bool (N,).

    Args:
        name: What messages call the rows.
        time: Array-like of positive numbers.
        event: Array-like of 0 and 1.

    Raises:
        InputError: If they are not two columns of one length, or a value is not allowed.
    """
    times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if times.ndim != 1 or times.shape != events.shape:
        raise InputError(f"time and event of {name} have shapes {times.shape} and {events.shape}; both must be (N,)")
    for key, values, wrong, allowed in (
        ("time", times, ~(np.isfinite(times) & (times > 0)), "positive"),
        ("event", events, (events != 0) & (events != 1), "1 (happened) or 0 (censored)"),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(f"{key} of {name} is {values[row]:g} in row {row}; it must be {allowed}")
    return times, events > 0
