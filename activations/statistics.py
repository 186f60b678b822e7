"""Mean and population standard deviation of one sample: what activations gated by their tensor compare with.

A sample never sees its batch-mates, and nothing runs along between steps, so training and evaluation agree.
Shapes: B batch, F features, T tokens, D model width, C channels, H x W space, N nodes of all graphs.
"""

from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError
from .base import unit_dimension

__all__ = [
    "Dims",
    "align_mask",
    "graph_mean_and_std",
    "mean_and_std",
    "reduced_dimensions",
    "sample_statistics",
    "statistics_dtype",
]

Dims = Literal["sample", "channel", "last"]


def statistics_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type that statistics of a `dtype` tensor are held in: float32 for the half types.

    Example:
        >>> import torch
        >>> from axonlight.activations.statistics import statistics_dtype
        >>> statistics_dtype(torch.bfloat16), statistics_dtype(torch.float64)
        (torch.float32, torch.float64)
    """
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def reduced_dimensions(x: Tensor, dims: str, channel_dim: int | None = None) -> tuple[int, ...]:
    """Return the dimensions that one pair of statistics covers.

    Args:
        x: Input, batch first.
        dims: "sample" (all but the batch), "channel" (all but the batch and the units) or "last".
        channel_dim: Dimension of the units, see `axonlight.activations.base.unit_dimension`.

    Raises:
        InputError: If `dims` is unknown, or leaves no dimension to reduce.

    Example:
        >>> import torch
        >>> from axonlight.activations.statistics import reduced_dimensions
        >>> x_BCHW = torch.zeros(8, 3, 4, 4)
        >>> [reduced_dimensions(x_BCHW, dims) for dims in ("sample", "channel", "last")]
        [(1, 2, 3), (2, 3), (3,)]
    """
    if dims == "sample" and x.dim() > 1:
        return tuple(range(1, x.dim()))
    if dims == "last" and x.dim() > 0:
        return (x.dim() - 1,)
    if dims == "channel" and x.dim() > 2:
        unit = unit_dimension(x, channel_dim)
        return tuple(d for d in range(1, x.dim()) if d != unit)
    if dims not in ("sample", "channel", "last"):
        raise InputError(f"dims is {dims!r}; it must be 'sample', 'channel' or 'last'")
    raise InputError(
        f"dims='{dims}' leaves nothing to average over in an input of shape {tuple(x.shape)}; "
        "use dims='sample' for (B, F) and dims='last' for an input without a batch"
    )


def align_mask(mask: Tensor, x: Tensor) -> Tensor:
    """Give a mask over the leading dimensions of `x` as many dimensions as `x` has.

    Args:
        mask: Boolean; True marks an element that counts. (B, T) for an input (B, T, D), or any shape that
            broadcasts to the input's own.
        x: Input.

    Raises:
        InputError: If the mask is not boolean or does not fit.

    Example:
        >>> import torch
        >>> from axonlight.activations.statistics import align_mask
        >>> align_mask(torch.ones(2, 5, dtype=torch.bool), torch.zeros(2, 5, 8)).shape
        torch.Size([2, 5, 1])
    """
    if mask.dtype != torch.bool:
        raise InputError(f"mask has type {mask.dtype}; it must be torch.bool (True = counts)")
    sizes = (*mask.shape, *(1,) * (x.dim() - mask.dim()))
    if len(sizes) != x.dim() or any(m not in (1, s) for m, s in zip(sizes, x.shape, strict=True)):
        raise InputError(f"mask has shape {tuple(mask.shape)}; it must fit the first dimensions of {tuple(x.shape)}")
    return mask.reshape(sizes)


def mean_and_std(
    x: Tensor, reduced: tuple[int, ...], eps: float = 0.0, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Compute the mean and sqrt(population variance + eps), differentiably, keeping the reduced dimensions.

    Args:
        x: Input in at least float32 (half types are converted).
        reduced: Dimensions to reduce.
        eps: Added inside the root; keeps the gradient of a constant sample finite.
        mask: Boolean, as many dimensions as `x` (see `align_mask`). A sample without any True gets mean 0.

    Example:
        >>> import torch
        >>> from axonlight.activations.statistics import mean_and_std
        >>> mean, std = mean_and_std(torch.tensor([[1.0, 3.0], [5.0, 5.0]]), (1,))
        >>> mean.tolist(), std.tolist()
        ([[2.0], [5.0]], [[1.0], [0.0]])
    """
    x = x.to(statistics_dtype(x.dtype))
    if mask is None:
        # Two plain passes: torch.var_mean on CPU is a scalar loop, some ten times slower, compiled or not.
        mean = x.mean(reduced, keepdim=True)
        return mean, ((x - mean).square().mean(reduced, keepdim=True) + eps).sqrt()
    count = mask.expand_as(x).sum(reduced, keepdim=True).clamp(min=1)
    mean = torch.where(mask, x, 0).sum(reduced, keepdim=True) / count
    deviation = torch.where(mask, x - mean, 0)
    return mean, (deviation.square().sum(reduced, keepdim=True) / count + eps).sqrt()


def graph_mean_and_std(
    x_NF: Tensor,  # noqa: N803  (shapes in names, see the legend above)
    batch_N: Tensor,  # noqa: N803
    dims: str = "sample",
    eps: float = 0.0,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the statistics of the graph that each row belongs to.

    Args:
        x_NF: Node features of all graphs, (N, F).
        batch_N: int64 (N,), the graph of each row, in any order and with any labels.
        dims: "sample" (all nodes and features of the graph), "channel" (per graph and feature) or "last"
            (per node, which needs no graph).
        eps: Added to the variance inside the root.
        mask: Boolean (N, 1) or (N, F); True = counts.

    Returns:
        Mean and standard deviation, (N, 1), or (N, F) for "channel".

    Raises:
        InputError: If the input is not (N, F), or `batch_N` not int64 (N,).

    Example:
        >>> import torch
        >>> from axonlight.activations.statistics import graph_mean_and_std
        >>> x_NF = torch.tensor([[1.0], [3.0], [7.0]])
        >>> graph_mean_and_std(x_NF, torch.tensor([0, 0, 1]))[0].tolist()
        [[2.0], [2.0], [7.0]]
    """
    if x_NF.dim() != 2 or batch_N.shape != x_NF.shape[:1] or batch_N.dtype != torch.int64:
        raise InputError(
            f"batch has type {batch_N.dtype} and shape {tuple(batch_N.shape)} for an input of shape "
            f"{tuple(x_NF.shape)}; it must be int64 (N,) beside an input (N, F)"
        )
    if dims == "last":
        return mean_and_std(x_NF, (1,), eps, mask)
    if dims not in ("sample", "channel"):
        raise InputError(f"dims is {dims!r}; it must be 'sample', 'channel' or 'last'")
    x = x_NF.to(statistics_dtype(x_NF.dtype))
    counts = x.new_ones(()).expand_as(x) if mask is None else mask.expand_as(x).to(x.dtype)
    # Where a label first stands in the sorted labels numbers the graphs below N whatever the labels are,
    # without waiting for a device to report the largest one.
    segment = torch.searchsorted(batch_N.sort().values, batch_N)

    def graph_sum(values: Tensor) -> Tensor:
        values = values.sum(1, keepdim=True) if dims == "sample" else values
        return torch.zeros_like(values).index_add(0, segment, values)[segment]

    count = graph_sum(counts).clamp(min=1)
    mean = graph_sum(x if mask is None else torch.where(mask, x, 0)) / count
    deviation = x - mean if mask is None else torch.where(mask, x - mean, 0)
    return mean, (graph_sum(deviation.square()) / count + eps).sqrt()


def sample_statistics(
    x: Tensor,
    dims: Dims = "sample",
    *,
    eps: float = 0.0,
    mask: Tensor | None = None,
    batch: Tensor | None = None,
    channel_dim: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the mean and sqrt(population variance + eps) of each sample; they broadcast over `x`.

    Args:
        x: (B, F), (B, T, D), (B, C, H, W) or longer; (N, F) with `batch`.
        dims: What one pair of statistics covers, see `reduced_dimensions`.
        eps: Added to the variance inside the root.
        mask: Boolean, True = counts; (B, T) for (B, T, D), see `align_mask`.
        batch: int64 (N,), the graph of each row of an input (N, F).
        channel_dim: Dimension of the units for dims="channel".

    Raises:
        InputError: If a value does not fit the input's shape.

    Example:
        >>> import torch
        >>> from axonlight.activations.statistics import sample_statistics
        >>> mean, std = sample_statistics(torch.tensor([[1.0, 3.0], [0.0, 8.0]]))
        >>> mean.flatten().tolist(), std.flatten().tolist()
        ([2.0, 4.0], [1.0, 4.0])
    """
    aligned = None if mask is None else align_mask(mask, x)
    if batch is not None:
        return graph_mean_and_std(x, batch, dims, eps, aligned)
    return mean_and_std(x, reduced_dimensions(x, dims, channel_dim), eps, aligned)
