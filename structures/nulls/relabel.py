"""A null model that changes nothing but names: the control for which every comparison must find no difference."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..hierarchy import Hierarchy
from ..matrices import IntArray
from .base import NullModel, sorted_pairs
from .random_stream import RandomStream

__all__ = ["RelabelNodes"]


class RelabelNodes(NullModel):
    """Let the nodes above the features change places within their layers, each with all its edges.

    Every set of features is still there, joined to the same other sets; it only goes by another name. A network on a
    draw can compute exactly what one on the hierarchy can, from the same features, and differs from it as networks of
    two seeds do. So this is no null of biology but a negative control: a comparison that finds a difference between the
    two is wrong, and one with enough splits must call them equivalent. `PermuteInputs` is isomorphic as well, but gives
    the places to other features.

    Keeps everything but the names of the nodes above the features.

    Example:
        >>> real = Hierarchy.from_edges([("a", "x"), ("b", "y"), ("b", "z")])
        >>> draw = RelabelNodes()(real, seed=0)
        >>> draw.nodes == real.nodes, draw.children("a"), draw.children("b")
        (True, ('y', 'z'), ('x',))
    """

    keeps = frozenset({"layer_sizes", "edge_counts", "degree_multisets", "relabelled"})
    needs = "two nodes of a layer that differ in their edges"

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return the same pairs with the nodes of each layer but the lowest permuted."""
        places = [np.arange(hierarchy.sizes[0])]
        for layer, size in enumerate(hierarchy.sizes[1:], start=1):
            places.append(RandomStream(seed, "nodes", layer).permutation(size))
        return [
            sorted_pairs(np.stack([places[source][pairs[0]], places[target][pairs[1]]]))
            for source, target, pairs in hierarchy.edges
        ]

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return, per block, whether nodes above the features differ in its edges."""
        return {
            place: _differ(target, 1, pairs, hierarchy) or (source > 0 and _differ(source, 0, pairs, hierarchy))
            for place, (source, target, pairs) in enumerate(hierarchy.edges)
        }


def _differ(layer: int, end: int, pairs: IntArray, hierarchy: Hierarchy) -> bool:
    """Return whether two nodes at one end of these edges have other neighbours at the other end."""
    neighbours: list[NDArray[np.int64]] = [pairs[1 - end, pairs[end] == node] for node in range(hierarchy.sizes[layer])]
    return len({np.sort(found).tobytes() for found in neighbours}) > 1
