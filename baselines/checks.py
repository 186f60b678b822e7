"""What every floor asks of its arrays.

Shapes: N training rows, M scored rows, F features.
"""

import difflib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..errors import InputError

__all__ = ["check_names", "checked_classes", "checked_features"]


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
