"""Inverse probability of censoring weights: an event counts for those like it that censoring hid.

Shapes: n patients, T times. G(t) = P(censoring after t) is estimated on the target of the training patients, (N, 2).
It is not known after the last training time, unless it fell to 0 there; what would need it is undefined, not guessed.
"""

from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from .kaplan_meier import censoring_curve

__all__ = ["as_times", "case_weights"]


def as_times(times: Any, device: torch.device | None = None) -> Tensor:
    """Return times as float64 (T,), ascending, or raise InputError."""
    found = torch.atleast_1d(torch.as_tensor(times, dtype=torch.float64, device=device))
    if found.ndim != 1 or not len(found) or not torch.isfinite(found).all() or not (found.diff() > 0).all():
        raise InputError(f"times are {found.tolist()}; give one or more finite numbers in ascending order")
    return found


def case_weights(time: Tensor, event: Tensor, training: Tensor) -> Tensor:
    """Return 1 / G(time) for events and 0 for the censored, (n,); NaN where it is not known."""
    seen = censoring_curve(training).at(time)
    return torch.where(event, torch.where(seen > 0, seen.reciprocal(), torch.nan), 0.0)
