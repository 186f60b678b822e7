"""What every survival loss asks of its arguments.

Shapes: B batch, T time bins.
"""

import torch
from torch import Tensor

from ...errors import InputError

__all__ = ["binned", "in_full_precision", "one_per_row"]


def in_full_precision(values: Tensor) -> Tensor:
    """Return half types as float32, others as they are: sums over a risk set need the digits."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def one_per_row(name: str, values: Tensor, like: Tensor | None = None) -> Tensor:
    """Return values (B,) or (B, 1) as (B,).

    Raises:
        InputError: If they have another shape, or not as many rows as `like`.
    """
    flat = values.squeeze(-1) if values.dim() == 2 and values.shape[-1] == 1 else values
    if flat.dim() != 1 or (like is not None and len(flat) != len(like)):
        rows = "B" if like is None else str(len(like))
        raise InputError(f"{name} has shape {tuple(values.shape)}; it must be ({rows},), one value per patient")
    return flat


def binned(logits: Tensor, time_bin: Tensor, event: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits (B, T) in full precision, bins as int64 (B,) and events (B,) of the logits' type.

    Raises:
        InputError: If shapes do not fit together or bins are no whole numbers.
    """
    if logits.dim() != 2 or not logits.shape[1]:
        raise InputError(f"logits have shape {tuple(logits.shape)}; they must be (B, T), one per patient and time bin")
    if time_bin.is_floating_point():
        raise InputError(f"time_bin is of type {time_bin.dtype}; it must hold whole numbers, from 0 to T - 1")
    logits = in_full_precision(logits)
    place = one_per_row("time_bin", time_bin, logits).long()
    return logits, place, one_per_row("event", event, logits).to(logits.dtype)
