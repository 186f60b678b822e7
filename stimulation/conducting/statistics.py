"""Statistics of the activations at a site, gathered on the device and put together over ranks."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["MOMENTUM", "combined", "summary"]

# Weight of a batch in a running mean.
MOMENTUM = 0.1


def summary(x: Tensor) -> Tensor:
    """Return mean, population variance and rate (share of entries above 0) of an activation, (3,) float32.

    Example:
        >>> summary(torch.tensor([[-1.0, 1.0], [3.0, 1.0]])).tolist()
        [1.0, 2.0, 0.75]
    """
    x = x.detach().float()
    return torch.stack([x.mean(), x.var(correction=0), (x > 0).float().mean()])


def combined(summaries: Tensor, mean_over_ranks: Callable[[Tensor], Tensor]) -> Tensor:
    """Return summaries (S, 3) of S sites over the samples of all ranks, whose batches are of one size.

    Example:
        >>> combined(torch.tensor([[1.0, 2.0, 0.5]]), lambda values: values).tolist()
        [[1.0, 2.0, 0.5]]
    """
    means = mean_over_ranks(summaries[:, 0])
    # The variance within ranks and that between them.
    spread = summaries[:, 1] + (summaries[:, 0] - means).square()
    rest = mean_over_ranks(torch.stack([spread, summaries[:, 2]], dim=1))
    return torch.cat([means[:, None], rest], dim=1)
