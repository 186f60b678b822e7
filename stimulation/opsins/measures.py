"""What opsins measure of an activation. What is not finite is left out: it must not spread to other entries."""

import torch
from torch import Tensor

__all__ = ["UNITS", "finite", "finite_mean", "scale", "wide"]

UNITS = ("absolute", "sigma")


def wide(x: Tensor) -> Tensor:
    """Return the activation in float32 where it is narrower: sums over a site need the digits."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def finite(x: Tensor) -> Tensor:
    """Return the activation with 0 where it is not finite; the gradient is 0 there, too."""
    return torch.where(x.isfinite(), x, 0.0)


def finite_mean(x: Tensor, dim: int) -> Tensor:
    """Return the mean over the finite entries along a dimension, kept as one of size 1; 0 where there are none."""
    count = x.isfinite().sum(dim, keepdim=True).clamp_min(1)
    return (finite(wide(x)).sum(dim, keepdim=True) / count).to(x.dtype)


def scale(x: Tensor, unit: str) -> Tensor | float:
    """Return what one unit of an amount is: 1, or the standard deviation over all finite entries, a constant."""
    if unit == "absolute":
        return 1.0
    known = x.detach().isfinite()
    values = finite(wide(x.detach()))
    count = known.sum().clamp_min(1)
    mean = values.sum() / count
    return (torch.where(known, values - mean, 0.0).square().sum() / count).sqrt().to(x.dtype)
