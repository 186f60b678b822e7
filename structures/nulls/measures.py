"""What of a network survives in a hierarchy: live nodes and edges, paths, degrees, edges shared with another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..matrices import BoolArray, IntArray

if TYPE_CHECKING:
    from ..layered import LayeredGraph

__all__ = ["Liveness", "RealEdges", "block_name", "count_paths", "live_shares"]

# Counts of paths are float64: exact below 2^53, and scaled down before they could overflow.
_LARGEST_COUNT = 1e200


@dataclass(frozen=True)
class Liveness:
    """What lies on a path from a feature to the highest layer.

    Args:
        nodes: Whether each node does, per layer.
        edges: Whether each edge does, per block.
    """

    nodes: list[BoolArray]
    edges: list[BoolArray]

    @classmethod
    def of(cls, hierarchy: "LayeredGraph") -> "Liveness":
        """Return that of a hierarchy: an edge between two live nodes is live itself."""
        nodes = hierarchy.live_nodes()
        edges = [nodes[source][pairs[0]] & nodes[target][pairs[1]] for source, target, pairs in hierarchy.edges]
        return cls(nodes, edges)


def live_shares(liveness: Liveness) -> dict[str, float]:
    """Return the shares of features, of nodes above them and of edges that are live."""
    hidden, edges = np.concatenate(liveness.nodes[1:]), np.concatenate([*liveness.edges, np.zeros(0, dtype=bool)])
    return {
        "live_inputs": float(liveness.nodes[0].mean()),
        "live_nodes": float(hidden.mean()),
        "live_edges": float(edges.mean()) if len(edges) else 0.0,
    }


def count_paths(hierarchy: "LayeredGraph", liveness: Liveness) -> tuple[float, float]:
    """Return the decimal logarithm of the number of paths from features to the highest layer, and their mean length.

    The length of a path is its number of edges, but for the only live edge into a node, which has nothing to combine
    and hands on what it gets. Every path counts equally. Without a path: -inf and NaN.

    Args:
        hierarchy: The hierarchy.
        liveness: Of its nodes and edges.
    """
    number = [np.zeros(size) for size in hierarchy.sizes]
    length = [np.zeros(size) for size in hierarchy.sizes]
    number[0][:] = 1.0
    fed = [np.zeros(size, dtype=np.int64) for size in hierarchy.sizes]
    for (_, target, pairs), live in zip(hierarchy.edges, liveness.edges, strict=True):
        fed[target] += np.bincount(pairs[1, live], minlength=len(fed[target]))
    logarithm = 0.0
    blocks = zip(hierarchy.edges, liveness.edges, strict=True)
    for (source, target, pairs), live in sorted(blocks, key=lambda item: item[0].source):
        low, high = pairs[:, live]
        size = len(number[target])
        added = number[source][low]
        longer = length[source][low] + added * (fed[target][high] > 1)
        number[target] += np.bincount(high, weights=added, minlength=size)
        length[target] += np.bincount(high, weights=longer, minlength=size)
        largest = float(number[target].max())
        if largest > _LARGEST_COUNT:
            number = [values / largest for values in number]
            length = [values / largest for values in length]
            logarithm += float(np.log10(largest))
    total = float(number[-1].sum())
    if not total:
        return float("-inf"), float("nan")
    return logarithm + float(np.log10(total)), float(length[-1].sum() / total)


def block_name(hierarchy: "LayeredGraph", source: int, target: int) -> str:
    """Return the name of a block of edges: features -> level_4."""
    return f"{hierarchy.layers[source]} -> {hierarchy.layers[target]}"


class RealEdges:
    """The edges of the real hierarchy, ready to be compared with those of its draws.

    Args:
        hierarchy: The real hierarchy.
    """

    def __init__(self, hierarchy: "LayeredGraph") -> None:
        self.hierarchy = hierarchy
        self.places = [(source, target) for source, target, _ in hierarchy.edges]
        self.keys = [self._keys(target, pairs) for _, target, pairs in hierarchy.edges]
        self.degrees = [self._degrees(*block) for block in hierarchy.edges]

    def compare(self, draw: "LayeredGraph") -> dict[str, float | bool]:
        """Return what a draw shares with the real hierarchy, in all and per block.

        The overlap is the share of the real edges that the draw has. Degrees are kept where every node keeps its own
        in every block; their distance is the share of the ends of edges that would have to move to another node to
        turn one sorted degree sequence into the other, so it is 0 where nodes only exchange their degrees.
        """
        drawn = {(source, target): pairs for source, target, pairs in draw.edges}
        none = np.zeros((2, 0), dtype=np.int64)
        blocks = [drawn.get(place, none) for place in self.places]
        shared = [
            len(np.intersect1d(keys, self._keys(target, pairs), assume_unique=True))
            for keys, (_, target), pairs in zip(self.keys, self.places, blocks, strict=True)
        ]
        total = max(sum(map(len, self.keys)), 1)
        found: dict[str, float | bool] = {"edge_overlap": sum(shared) / total}
        for (source, target), number, keys in zip(self.places, shared, self.keys, strict=True):
            found[f"edge_overlap {block_name(self.hierarchy, source, target)}"] = number / max(len(keys), 1)
        degrees = [self._degrees(*place, pairs) for place, pairs in zip(self.places, blocks, strict=True)]
        pairs_of = list(zip(self.degrees, degrees, strict=True))
        for end, name in ((1, "in"), (0, "out")):
            found[f"{name}_degrees_kept"] = all(np.array_equal(real[end], other[end]) for real, other in pairs_of)
        for end, name in ((1, "in"), (0, "out")):
            moved = sum(np.abs(np.sort(real[end]) - np.sort(other[end])).sum() for real, other in pairs_of) / 2
            found[f"{name}_degree_distance"] = float(moved / total)
        return found

    def _keys(self, target: int, pairs: IntArray) -> IntArray:
        return pairs[0] * self.hierarchy.sizes[target] + pairs[1]

    def _degrees(self, source: int, target: int, pairs: IntArray) -> tuple[IntArray, IntArray]:
        sizes = self.hierarchy.sizes
        return np.bincount(pairs[0], minlength=sizes[source]), np.bincount(pairs[1], minlength=sizes[target])
