"""Edges that knowledge does not have, added at random: what a network should learn to ignore."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..randomness import derive_seed
from .hierarchy import Hierarchy
from .matrices import BoolArray, IntArray

__all__ = ["SpuriousEdges", "with_spurious_edges"]


class SpuriousEdges(NamedTuple):
    """A hierarchy with added edges, and which they are.

    Args:
        hierarchy: The hierarchy with the same layers and nodes; the edges of each block come first, the added behind.
        added: Per block of `hierarchy.edges`, boolean (E,): whether an edge was added.

    Example:
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1")])
        >>> SpuriousEdges(hierarchy, (np.array([False]), np.array([False]))).hierarchy == hierarchy
        True
    """

    hierarchy: Hierarchy
    added: tuple[BoolArray, ...]


def with_spurious_edges(hierarchy: Hierarchy, fraction: float, seed: int) -> SpuriousEdges:
    """Add random edges between layers that are joined already.

    Every block gets round(fraction * E) edges, drawn uniformly and without repetition from the pairs of its nodes that
    have none. A network on the result shows how many of them training takes out; see
    `axonlight.attribution.spurious_pruning`.

    Args:
        hierarchy: The hierarchy; it stays as it is.
        fraction: Added edges over those that exist, above 0; 1 doubles them.
        seed: Seed of the draw.

    Raises:
        InputError: If the fraction is not positive, adds no edge at all, or asks for more pairs than a block has.

    Example:
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
        >>> found, added = with_spurious_edges(Hierarchy.from_edges(edges), fraction=0.5, seed=0)
        >>> [block.pairs.shape[1] for block in found.edges], [each.tolist() for each in added]
        ([3, 2], [[False, False, True], [False, False]])
    """
    if not fraction > 0:
        raise InputError(f"fraction is {fraction}; it must be positive")
    blocks, added = [], []
    for source, target, pairs in hierarchy.edges:
        # what a full block lacks nobody can add: the root's children are often all that there are
        free = hierarchy.sizes[source] * hierarchy.sizes[target] - pairs.shape[1]
        wanted = round(fraction * pairs.shape[1]) if free else 0
        if wanted > free:
            raise InputError(
                f"fraction is {fraction}, which adds {wanted:,} edges from {hierarchy.layers[source]} to "
                f"{hierarchy.layers[target]}, where {free:,} pairs are free; take at most {free / pairs.shape[1]:.2f}"
            )
        generator = np.random.default_rng(derive_seed(seed, "spurious edges", source, target))
        new = _absent_pairs(pairs, hierarchy.sizes[target], free, wanted, generator)
        blocks.append((source, target, np.concatenate([pairs, new], axis=1)))
        added.append(np.arange(pairs.shape[1] + wanted) >= pairs.shape[1])
    if not any(each.any() for each in added):
        raise InputError(f"fraction is {fraction}, which adds no edge to {hierarchy.num_edges:,}; take a larger one")
    note = f"random edges added: fraction {fraction}, seed {seed}"
    return SpuriousEdges(replace(hierarchy, edges=tuple(blocks), notes=(*hierarchy.notes, note)), tuple(added))


def _absent_pairs(pairs: IntArray, width: int, free: int, wanted: int, generator: np.random.Generator) -> IntArray:
    """Return (2, wanted) pairs that are not there."""
    taken = np.sort(pairs[0] * width + pairs[1])
    # the r-th free code lies behind as many taken ones as have r or fewer free codes below them
    places = np.sort(generator.choice(free, size=wanted, replace=False))
    codes = places + np.searchsorted(taken - np.arange(len(taken)), places, side="right")
    return np.stack(np.divmod(codes, width)).astype(np.int64)
