"""Null models that keep the degrees of one side: rows (sources) or columns (targets) shuffled in place."""

from collections.abc import Sequence

import numpy as np

from ..hierarchy import Hierarchy
from ..layered import EdgeBlock
from ..matrices import IntArray
from .base import NullModel, sorted_pairs
from .random_stream import RandomStream, distinct_places

__all__ = ["ColumnShuffle", "RowShuffle", "some_choice"]


class RowShuffle(NullModel):
    """Give every node as many parents as it has, chosen at random: each row of the matrix is permuted.

    A row is a feature or a child, a column a pathway. Keeps the number of edges out of every node, per block: a
    feature stands in as many sets as before, nothing loses its way up. Breaks the sizes of the pathways, which all
    come near the mean, so that some are left without children and are dead.

    Source: `random_network=True` of the PyTorch port of P-NET (repository vanallenlab/pnet).

    Example:
        >>> real = Hierarchy.from_edges([("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("c", "z")])
        >>> draw = RowShuffle()(real, seed=0)
        >>> [len(draw.parents(name)) for name in "xyz"]
        [2, 2, 1]
    """

    keeps = frozenset({"layer_sizes", "edge_counts", "source_degrees"})
    needs = "a node with some but not all nodes of another layer as its parents"

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return pairs with the same degrees of the sources."""
        return [_redrawn(hierarchy, block, 0, seed) for block in hierarchy.edges]

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return which blocks have a node with some, but not all, of the targets."""
        return {place: some_choice(hierarchy, block, 0) for place, block in enumerate(hierarchy.edges)}


class ColumnShuffle(NullModel):
    """Give every pathway as many features or children as it has, chosen at random: each column is permuted.

    Keeps the number of edges into every node, per block: pathways keep their sizes. Breaks the degrees of what stands
    below: most children have one parent, and those that are chosen by none are dead, with all that lies beneath. In
    the septic kidney set more than half of the network goes (docs/nulls.md).

    Source: size-matched random sets, drawn for every layer by itself; `RandomGeneSets` keeps the pathways' hierarchy.

    Example:
        >>> real = Hierarchy.from_edges([("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("c", "z")])
        >>> draw = ColumnShuffle()(real, seed=0)
        >>> [len(draw.children(name)) for name in "abc"]
        [1, 2, 2]
    """

    keeps = frozenset({"layer_sizes", "edge_counts", "target_degrees", "set_sizes"})
    needs = "a node with some but not all nodes of another layer as its children"

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return pairs with the same degrees of the targets."""
        return [_redrawn(hierarchy, block, 1, seed) for block in hierarchy.edges]

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return which blocks have a node with some, but not all, of the sources."""
        return {place: some_choice(hierarchy, block, 1) for place, block in enumerate(hierarchy.edges)}


def some_choice(hierarchy: Hierarchy, block: EdgeBlock, end: int) -> bool:
    """Return whether a node at this end (0: sources, 1: targets) has some, but not all, nodes of the other."""
    degrees = np.bincount(block.pairs[end], minlength=1)
    return bool(((degrees > 0) & (degrees < hierarchy.sizes[block[1 - end]])).any())


def _redrawn(hierarchy: Hierarchy, block: EdgeBlock, end: int, seed: int) -> IntArray:
    degrees = np.bincount(block.pairs[end], minlength=hierarchy.sizes[block[end]])
    stream = RandomStream(seed, "shuffle", block.source, block.target)
    pairs = distinct_places(degrees, hierarchy.sizes[block[1 - end]], stream)
    return sorted_pairs(pairs if end == 0 else pairs[::-1])
