"""Exact quantiles of one sample: the reference that the normal approximation of ASH is measured against."""

import torch
from torch import Tensor

from ..errors import InputError
from .statistics import statistics_dtype

__all__ = ["sample_quantile"]


def sample_quantile(x: Tensor, z: Tensor, reduced: tuple[int, ...], mask: Tensor | None = None) -> Tensor:
    """Return each sample's quantile at the normal probability of `z`, keeping the reduced dimensions.

    Linear interpolation between order statistics, as numpy.quantile's default. Differentiable in x and z.

    Args:
        x: Input, in at least float32 (half types are converted).
        z: One value.
        reduced: Dimensions that one quantile covers.
        mask: Boolean, as many dimensions as `x`; True = counts. A sample without any True gets 0.

    Raises:
        InputError: If `z` holds more than one value.

    Example:
        >>> import torch
        >>> from axonlight.activations.quantile import sample_quantile
        >>> sample_quantile(torch.tensor([[0.0, 2.0, 10.0]]), torch.zeros(1), (1,))
        tensor([[2.]])
    """
    if z.numel() != 1:
        raise InputError(f"threshold='quantile' takes one z for all units, not {z.numel()}")
    x = x.to(statistics_dtype(x.dtype))
    kept = [dim for dim in range(x.dim()) if dim not in reduced]
    keepdim_shape = [1 if dim in reduced else size for dim, size in enumerate(x.shape)]

    def as_rows(values: Tensor) -> Tensor:
        return values.permute(*kept, *reduced).flatten(len(kept))

    if mask is None:
        rows = as_rows(x)
        count = torch.full_like(rows[..., :1], rows.shape[-1])
    else:
        keep = as_rows(mask.expand_as(x))
        count = keep.sum(-1, keepdim=True).to(x.dtype)
        # Infinity sorts behind everything that counts; where nothing counts it would give inf - inf.
        rows = as_rows(x).masked_fill(~keep, torch.inf).masked_fill(count == 0, 0)
    position = torch.special.ndtr(z.reshape(())) * (count - 1).clamp(min=0)
    low = position.detach().floor()
    high = torch.minimum(low + 1, (count - 1).clamp(min=0))
    ordered = rows.sort(-1).values
    quantile = torch.lerp(ordered.gather(-1, low.long()), ordered.gather(-1, high.long()), position - low)
    return quantile.reshape(keepdim_shape)
