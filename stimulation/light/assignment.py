"""Trials interleaved at random: which samples of a batch get light."""

from functools import lru_cache

import torch
from torch import Tensor

from ...randomness import derive_seed
from ..counter_random import random_words

__all__ = ["assign_samples"]

# Samples drawn at once; a divisor of 2^32, which a counter can count to.
_BLOCK = 2**14


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
    first, last = first_row // _BLOCK, (first_row + rank + world_size * rows) // _BLOCK
    drawn = torch.cat([_drawn(probability, derive_seed(seed, "light on"), block) for block in range(first, last + 1)])
    return drawn[numbers - first * _BLOCK].float()


@lru_cache(maxsize=256)
def _drawn(probability: float, seed: int, block: int) -> Tensor:
    """Return the draws of a block of samples, bool: hundreds of small operations, so not done for every batch anew."""
    numbers = block * _BLOCK + torch.arange(_BLOCK)
    word = random_words(torch.tensor(seed), numbers & 0xFFFFFFFF, stream=block * _BLOCK >> 32)
    return word < probability * 2**32
