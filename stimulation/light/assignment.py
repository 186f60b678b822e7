"""Trials interleaved at random: which samples of a batch get light."""

import torch
from torch import Tensor

from ...randomness import derive_seed
from ..counter_random import threefry

__all__ = ["assign_samples"]


def assign_samples(
    probability: float, seed: int, first_row: int, rows: int, rank: int = 0, world_size: int = 1
) -> Tensor:
    """Draw which samples of a batch get light, each by itself.

    A sample's draw depends on the seed and on its number in the whole training alone: it is the same whether the batch
    came to one process or to several, in one piece or accumulated, before or after a resume. So the record of a run
    needs no more than the seed and the number of the first row to say who was lit.

    Args:
        probability: Share of samples with light, in (0, 1].
        seed: Seed of the stimulus, the same on all ranks.
        first_row: Samples that all ranks together have seen before this batch.
        rows: Samples of this batch on this rank.
        rank: This rank. Row i of rank r is sample ``first_row + i * world_size + r``, the order in which a distributed
            sampler deals samples out.
        world_size: Number of ranks.

    Shape:
        - Output: (rows,) float32, 1 with light and 0 without

    Example:
        >>> both = assign_samples(0.5, seed=1, first_row=64, rows=6)
        >>> first, second = (assign_samples(0.5, 1, 64, 3, rank, world_size=2) for rank in (0, 1))
        >>> torch.equal(both, torch.stack([first, second], dim=1).flatten())
        True
    """
    numbers = first_row + rank + world_size * torch.arange(rows)
    word, _ = threefry(torch.tensor(derive_seed(seed, "light on")), numbers & 0xFFFFFFFF, numbers >> 32)
    return (word < probability * 2**32).float()
