"""Trials interleaved at random: which samples of a batch get light."""

import numpy as np
import torch
from torch import Tensor

from ...randomness import derive_seed

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
    numbers = np.uint64(first_row + rank) + np.arange(rows, dtype=np.uint64) * np.uint64(world_size)
    drawn = _uniform(derive_seed(seed, "light on"), numbers)
    return torch.from_numpy((drawn < probability).astype(np.float32))


def _uniform(seed: int, numbers: np.ndarray) -> np.ndarray:
    """Return one number in [0, 1) per sample: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) at that place."""
    state = np.uint64(seed) + (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53
