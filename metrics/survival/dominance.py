"""How many members of a prefix lie below a bound: all questions of a list answered at once, in O((n + q) log n).

Shapes: n values, q questions. The answer is that of a wavelet tree (Grossi, Gupta & Vitter 2003, SODA), built and
asked level by level, so that it is a few tensor operations per bit of the ranks and runs on any device.
"""

import torch
from torch import Tensor

__all__ = ["counts_below"]


def counts_below(ranks: Tensor, prefixes: Tensor, bounds: Tensor) -> Tensor:
    """Return for each question how many of `ranks[:prefix]` are smaller than its bound.

    Args:
        ranks: int64 (n,), a permutation of 0 ... n - 1. Being one is what makes every node of the tree start at a
            known place, so that nothing but the counts has to be looked up.
        prefixes: int64 (q,), 0 ... n.
        bounds: int64 (q,), 0 ... n.

    Returns:
        int64 (q,).
    """
    size = len(ranks)
    below = torch.zeros_like(prefixes)
    arranged, ends = ranks, prefixes
    places = torch.arange(size, device=ranks.device)
    zeros_before = ranks.new_zeros(size + 1)
    # One bit more than the largest rank has: the bound n must not wrap around.
    for bit in range(size.bit_length() - 1, -1, -1):
        is_one = (arranged >> bit) & 1
        torch.cumsum(1 - is_one, 0, out=zeros_before[1:])
        # Nodes hold the ranks that share the bits above this one. All nodes in front of a question's own are full,
        # and half of what a full node holds has the bit 0.
        starts = bounds >> (bit + 1) << (bit + 1)
        zeros = zeros_before[ends] - (starts >> 1)
        goes_right = ((bounds >> bit) & 1).bool()
        below += torch.where(goes_right, zeros, 0)
        ends = torch.where(goes_right, ends - zeros + (1 << bit), starts + zeros)
        if bit:
            half_starts = arranged >> (bit + 1) << bit
            left = half_starts + zeros_before[:-1]
            right = places + half_starts - zeros_before[:-1] + (1 << bit)
            arranged = torch.empty_like(arranged).scatter_(0, torch.where(is_one.bool(), right, left), arranged)
    return below
