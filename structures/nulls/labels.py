"""Null models that move features: the same graph, other names at its lowest places."""

from collections.abc import Sequence

import numpy as np

from ..hierarchy import Hierarchy
from ..matrices import IntArray
from .base import NullModel
from .invariants import signatures
from .random_stream import RandomStream

__all__ = ["PermuteInputs", "labels_changeable", "permuted_features"]


class PermuteInputs(NullModel):
    """Permute which feature stands at which place: all biology of the lowest layer goes, all topology stays.

    The draw is isomorphic to the hierarchy: every degree, path count, overlap of gene sets and every edge between
    pathways is the same, and training on it is training the real network on a table with permuted features. It
    separates "these genes belong together" from "a network of this shape", at no cost. The several columns of one
    feature (mutation and amplification of a gene, a value and whether it was measured) move together, since a place
    belongs to the feature.

    Keeps everything but the identity of the features. Breaks which features share a set, and the features' degrees:
    well-measured features that stand in many sets no longer do (`PermuteInputsWithinBins` keeps that).

    Source: `--shuffleGenes` of knowledge-primed networks (Fortelny and Bock 2020, doi:10.1186/s13059-020-02100-5).

    Example:
        >>> real = Hierarchy.from_edges([("a", "x"), ("a", "y"), ("b", "z")])
        >>> draw = PermuteInputs()(real, seed=1)
        >>> draw.nodes == real.nodes, draw.children("a")
        (True, ('z', 'x'))
    """

    keeps = frozenset(
        {"layer_sizes", "edge_counts", "target_degrees", "degree_multisets", "set_sizes", "pathway_edges", "isomorphic"}
    )
    needs = "two features that stand in different sets"

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return the same pairs with the features permuted."""
        return permuted_features(hierarchy, RandomStream(seed, "features").permutation(hierarchy.sizes[0]))

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return whether any two features differ in their edges, for the blocks that leave the features."""
        return labels_changeable(hierarchy, np.zeros(hierarchy.sizes[0], dtype=np.int64))


def permuted_features(hierarchy: Hierarchy, places: IntArray) -> list[IntArray]:
    """Return all pairs after the feature at i has taken the edges of another, which has those of `places[i]`."""
    return [np.stack([places[pairs[0]], pairs[1]]) if source == 0 else pairs for source, _, pairs in hierarchy.edges]


def labels_changeable(hierarchy: Hierarchy, bins: IntArray) -> dict[int, bool]:
    """Return whether two features of one bin differ in their edges, for the blocks that leave the features."""
    kinds = np.unique(np.stack([bins.astype(np.uint64), signatures(hierarchy, 0)]), axis=1).shape[1]
    free = kinds > len(np.unique(bins))
    return {place: free for place, block in enumerate(hierarchy.edges) if block.source == 0}
