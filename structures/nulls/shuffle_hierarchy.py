"""The null model that keeps gene sets and every layer's shape, and breaks the hierarchy between layers."""

from collections.abc import Sequence

import numpy as np

from ..hierarchy import Hierarchy
from ..matrices import IntArray
from .base import NullModel
from .invariants import signatures
from .random_stream import RandomStream

__all__ = ["ShuffleHierarchy"]


class ShuffleHierarchy(NullModel):
    """Permute the labels of the pathways between layers: each takes the parents of another pathway of its layer.

    On every layer above the features the pathways keep what enters them (their features and their number of
    children), and all that leaves them, also edges that skip layers, moves to another pathway as a whole. It is
    `PermuteInputs` one layer up and on all layers at once, and asks whether the ontology above the gene sets matters.

    Keeps the gene sets that features are attached to, all degrees into nodes, and all degrees out of nodes but for
    whose they are; nothing goes dead that was alive where all pathways have parents and children. Breaks which
    pathways lie beneath which, hence also the sizes of the sets beneath upper pathways.

    Source: permutation of the labels of rows per layer; a network null of the kind that quadratic assignment tests
    permute (Krackhardt 1988, doi:10.1016/0378-8733(88)90004-4).

    Example:
        >>> edges = [("r", "a"), ("r", "b"), ("s", "c"), ("a", "x"), ("b", "y"), ("c", "z")]
        >>> draw = ShuffleHierarchy()(Hierarchy.from_edges(edges), seed=1)
        >>> draw.children("a"), len(draw.children("r")), draw.children("s")
        (('x',), 2, ('a',))
    """

    keeps = frozenset(
        {"layer_sizes", "edge_counts", "target_degrees", "degree_multisets", "set_sizes", "feature_edges"}
    )
    needs = "two pathways of one layer with different parents"

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return the pairs with the sources permuted, on each layer but the lowest."""
        places = [RandomStream(seed, "pathways", layer).permutation(size) for layer, size in enumerate(hierarchy.sizes)]
        return [
            pairs if source == 0 else np.stack([places[source][pairs[0]], pairs[1]])
            for source, _, pairs in hierarchy.edges
        ]

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return which blocks between pathways have sources that differ in their edges."""
        free = [len(np.unique(signatures(hierarchy, layer))) > 1 for layer in range(len(hierarchy.layers))]
        return {place: free[block.source] for place, block in enumerate(hierarchy.edges) if block.source > 0}
