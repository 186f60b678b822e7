"""Random numbers that are the same on every machine and with every release of NumPy.

NumPy promises the raw words of a bit generator for ever, but not what its distributions make of them.
"""

import numpy as np
from numpy.typing import NDArray

from ...randomness import derive_seed
from ..matrices import IntArray

__all__ = ["RandomStream", "distinct_places"]


class RandomStream:
    """Words of PCG64, and what is made of them here.

    Args:
        seed: Seed of the draw.
        purpose: What the numbers are for.
    """

    def __init__(self, seed: int, *purpose: int | str) -> None:
        self._bits = np.random.PCG64(derive_seed(seed, *purpose))

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return uniform 64-bit words, (count,)."""
        return self._bits.random_raw(count)

    def below(self, bound: int, count: int) -> IntArray:
        """Return integers from 0 to bound - 1, uniform but for 2^-53, (count,)."""
        return ((self.words(count) >> np.uint64(11)) * (bound * 2.0**-53)).astype(np.int64)

    def permutation(self, count: int) -> IntArray:
        """Return the numbers 0 to count - 1 in random order."""
        return np.argsort(self.words(count), kind="stable")


def distinct_places(counts: IntArray, size: int, stream: RandomStream) -> IntArray:
    """Choose `counts[row]` distinct places of `size` for every row, all sets of that size with equal probability.

    Places are drawn until there are enough different ones. Which ones are drawn again depends on no place's number,
    so every set is as likely as any other. Of more than half the places, those left out are drawn instead.

    Args:
        counts: Places wanted per row, (R,), each from 0 to `size`.
        size: Number of places.
        stream: Where the numbers come from.

    Returns:
        (2, E): row and place, sorted by row, then place.
    """
    inverted = counts > size // 2
    wanted = np.where(inverted, size - counts, counts)
    codes = np.zeros(0, dtype=np.int64)
    missing = wanted
    while missing.any():
        rows = np.repeat(np.arange(len(counts)), missing)
        codes = np.unique(np.concatenate([codes, rows * size + stream.below(size, len(rows))]))
        missing = wanted - np.bincount(codes // size, minlength=len(counts))
    rows, places = np.divmod(codes, size)
    if not inverted.any():
        return np.stack([rows, places])
    others = np.flatnonzero(inverted)
    kept = np.ones((len(others), size), dtype=bool)
    turned = inverted[rows]
    kept[np.searchsorted(others, rows[turned]), places[turned]] = False
    row, place = np.nonzero(kept)
    pairs = np.stack([np.append(rows[~turned], others[row]), np.append(places[~turned], place)])
    return pairs[:, np.lexsort(pairs[::-1])]
