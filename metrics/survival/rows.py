"""What the survival metrics accept: one row per patient, checked before anything is counted.

Words: time, from 0 on, in any unit; event, 1 = it happened at that time, 0 = censored then; risk, higher = earlier.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError, shown

__all__ = ["as_column", "as_tensor", "checked_rows", "checked_target", "refuse", "split_target"]


def split_target(target: Tensor) -> tuple[Tensor, Tensor]:
    """Return time and event, the two columns of a survival target (B, 2)."""
    if target.ndim != 2 or target.shape[1] != 2:
        raise InputError(f"target has the shape {tuple(target.shape)}; it must be (B, 2), time and event")
    return target[:, 0], target[:, 1]


def as_tensor(values: Any) -> Tensor:
    """Return values without their gradient; arrays, columns of tables and lists are copied (some are read-only)."""
    return values.detach() if isinstance(values, Tensor) else torch.from_numpy(np.array(values))


def as_column(name: str, values: Any, rows: int | None = None) -> Tensor:
    """Return values as float64 (B,), or raise InputError; (B, 1) is taken for (B,), as networks have one output."""
    column = as_tensor(values)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1 or (rows is not None and len(column) != rows):
        wanted = "(B,)" if rows is None else f"({rows},), one value per patient"
        raise InputError(f"{name} has the shape {tuple(column.shape)}; it must be {wanted}")
    return column.to(torch.float64).contiguous()


def refuse(name: str, is_bad: Tensor, found: str, allowed: str) -> None:
    """Raise InputError with the positions of the bad rows, if there are any."""
    if is_bad.any():
        positions = [str(row) for row in is_bad.nonzero()[:, 0].unique().tolist()]
        rows = f"row{'s' * (len(positions) > 1)} {shown(positions)}"
        raise InputError(f"{name} is {found} in {rows} (counted from 0); {allowed}")


def checked_target(time: Any, event: Any, rows: int | None = None) -> tuple[Tensor, Tensor]:
    """Return time as float64 (B,) and event as bool (B,), or raise InputError that names row positions."""
    time = as_column("time", time, rows)
    event = as_column("event", event, len(time))
    refuse("time", ~torch.isfinite(time) | (time < 0), "negative or not finite", "it must be 0 or more")
    refuse("event", (event != 0) & (event != 1), "neither 0 nor 1", "1 says that it happened, 0 that it was censored")
    return time, event.bool()


def checked_rows(risk: Any, time: Any, event: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return risk and time as float64 (B,) and event as bool (B,), or raise InputError that names row positions."""
    risk = as_column("risk", risk)
    refuse("risk", torch.isnan(risk), "NaN", "a patient without a risk cannot be ranked")
    return risk, *checked_target(time, event, len(risk))
