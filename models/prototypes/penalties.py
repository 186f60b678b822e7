"""Optional losses that keep prototypes apart, in use, or decided.

Legend of shapes: B bags, N patches of all bags together, n patches of one bag, K prototypes, d width.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from ..bags import segment_sum, split_bags

__all__ = ["diversity_penalty", "sharpening_penalty", "usage_penalty"]


def diversity_penalty(prototypes: Tensor) -> Tensor:
    """Return the mean squared cosine between different prototypes (K, d): 0 when orthogonal, 1 when all point alike.

    Example:
        >>> diversity_penalty(torch.tensor([[1.0, 0.0], [0.0, 2.0]])), diversity_penalty(torch.ones(3, 2))
        (tensor(0.), tensor(1.0000))
    """
    count = len(prototypes)
    if count < 2:
        return prototypes.sum() * 0
    directions = torch.nn.functional.normalize(prototypes, dim=-1, eps=1e-6)
    squares = (directions @ directions.T).square()
    return (squares.sum() - squares.diagonal().sum()) / (count * (count - 1))


def usage_penalty(mass: Tensor) -> Tensor:
    """Return how far the mean use of the prototypes over the bags is from even: log K less its entropy.

    The use of a bag is its mass (B, K) divided by its patches, so every patient counts alike; empty bags do not count.
    The mean runs over the bags of all processes, so that the gradient of a distributed step is that of one process.

    Source: the entropy of the mean assignment, as in Assran et al. 2022, arXiv 2204.07141, equation 2.

    Example:
        >>> usage_penalty(torch.tensor([[3.0, 3.0], [0.0, 0.0]]))
        tensor(0.)
        >>> round(usage_penalty(torch.tensor([[4.0, 0.0]])).item(), 4)  # log 2
        0.6931
    """
    sizes = mass.sum(1, keepdim=True)
    filled = (sizes > 0).to(mass.dtype)
    shares = (mass / sizes.clamp_min(1e-6)).sum(0)
    total = torch.cat([shares, filled.sum().reshape(1)])
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        total = _SumOverProcesses.apply(total)
    mean = total[:-1] / total[-1].clamp_min(1)
    entropy = -torch.special.xlogy(mean, mean.clamp_min(1e-12)).sum()
    return (math.log(mass.shape[1]) - entropy) * (total[-1] > 0)


def sharpening_penalty(weights: Tensor, pointers: Sequence[int]) -> Tensor:
    """Return, for every bag, the divergence of the shares from their own sharpened form: deep embedded clustering.

    KL(p | a) per patch with p_nk proportional to a_nk^2 / sum_n a_nk, held constant; Xie, Girshick and Farhadi 2016,
    arXiv 1511.06335, equations 2 and 3, with the sums over one bag in place of the whole set, so that a bag's value
    does not depend on its batch.

    Args:
        weights: (N, K) shares.
        pointers: B + 1 bounds of the bags.

    Returns:
        (B,); 0 for an empty bag.

    Example:
        >>> sharpening_penalty(torch.tensor([[0.5, 0.5], [0.5, 0.5]]), [0, 2])
        tensor([0.])
    """
    logs = weights.clamp_min(1e-12).log()
    with torch.no_grad():
        parts = split_bags(weights, pointers)
        sharp = torch.cat([part.square() / part.sum(0).clamp_min(1e-12) for part in parts])
        target = sharp / sharp.sum(1, keepdim=True).clamp_min(1e-12)
        entropy = torch.special.xlogy(target, target).sum(1)
    divergences = segment_sum(entropy - (target * logs).sum(1), pointers)
    sizes = [max(part.shape[0], 1) for part in parts]
    return divergences / divergences.new_tensor(sizes)


class _SumOverProcesses(torch.autograd.Function):
    """Add up a tensor over processes; its gradient is the sum of theirs, as every process uses the result.

    torch.distributed.nn.functional.all_reduce does the same and is deprecated since torch 2.13.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _SumOverProcesses.apply(*gradients)
