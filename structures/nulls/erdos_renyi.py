"""The null model that keeps the number of edges alone."""

from collections.abc import Sequence

import numpy as np

from ..hierarchy import Hierarchy
from ..matrices import IntArray
from .base import NullModel, sorted_pairs
from .random_stream import RandomStream, distinct_places

__all__ = ["ErdosRenyi"]


class ErdosRenyi(NullModel):
    """Put exactly as many edges as each block has anywhere in it, all wirings equally likely.

    Keeps the number of edges, and with it the density, per block. Breaks all degrees and with them connectivity:
    pathway layers are near-trees, in which a node that loses its only parent is dead, so "equal density" is not "equal
    sparsity". In the septic kidney set 58 % of the nodes lie on no path from a protein to the top (docs/nulls.md).
    Report what is alive (`NullReport`) beside any score.

    Source: the G(n, m) model of Erdos and Renyi 1959, per block; published networks draw each edge with a
    probability instead (P-NET, doi:10.1038/s41586-021-03922-4), so that their numbers of edges vary.

    Example:
        >>> real = Hierarchy.from_edges([("a", "x"), ("a", "y"), ("b", "z")])
        >>> [ErdosRenyi()(real, seed).num_edges for seed in range(5)]
        [3, 3, 3, 3, 3]
    """

    keeps = frozenset({"layer_sizes", "edge_counts"})
    needs = "a layer whose edges are not all there"

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return as many other pairs per block."""
        found = []
        for source, target, pairs in hierarchy.edges:
            low, high = hierarchy.sizes[source], hierarchy.sizes[target]
            stream = RandomStream(seed, "edges", source, target)
            places = distinct_places(np.array([pairs.shape[1]]), low * high, stream)[1]
            found.append(sorted_pairs(np.stack(np.divmod(places, high))))
        return found

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return which blocks are neither empty nor complete."""
        return {place: 0 < density < 1 for place, density in enumerate(hierarchy.densities)}
