"""What a null model may promise to keep, and whether a draw kept it."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..layered import EdgeBlock, LayeredGraph
from ..matrices import IntArray

__all__ = ["INVARIANTS", "broken_invariants", "check_invariants", "signatures"]

_Blocks = dict[tuple[int, int], EdgeBlock]


class _Promising(Protocol):
    """A null model, as far as it is judged here."""

    keeps: ClassVar[frozenset[str]]

    @property
    def name(self) -> str: ...


def check_invariants(null: _Promising, real: LayeredGraph, draw: LayeredGraph) -> None:
    """Refuse a draw that does not keep what its null model states.

    Args:
        null: The null model; `null.keeps` holds names of `INVARIANTS`.
        real: The hierarchy that was drawn from.
        draw: What came out.

    Raises:
        InputError: If an invariant is broken, or unknown.

    Example:
        >>> from axonlight.structures import DegreePreserving, Hierarchy
        >>> real = Hierarchy.from_edges([("a", "x"), ("b", "y")])
        >>> check_invariants(DegreePreserving(), real, real)
    """
    unknown = sorted(set(null.keeps) - set(INVARIANTS))
    if unknown:
        raise InputError(f"{null.name} keeps {', '.join(unknown)}; known are {', '.join(INVARIANTS)}")
    broken = broken_invariants(real, draw, null.keeps)
    if broken:
        raise InputError(f"a draw of {null.name} does not keep {', '.join(broken)}, which it states to keep")


def broken_invariants(real: LayeredGraph, draw: LayeredGraph, keeps: "frozenset[str] | None" = None) -> tuple[str, ...]:
    """Return which of these invariants (None: of all) do not hold between a hierarchy and a draw of it.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> real = Hierarchy.from_edges([("a", "x"), ("b", "y"), ("b", "z")])
        >>> draw = Hierarchy.from_edges([("b", "x"), ("a", "y"), ("a", "z")])
        >>> broken_invariants(real, draw)
        ('target_degrees', 'set_sizes', 'feature_edges', 'isomorphic')
    """
    wanted = INVARIANTS if keeps is None else [name for name in INVARIANTS if name in keeps]
    return tuple(name for name in wanted if not _CHECKS[name](real, draw))


def signatures(hierarchy: LayeredGraph, layer: int) -> NDArray[np.uint64]:
    """Return a number per node that two nodes of a layer share if they have the same parents (but for chance, 2^-64).

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> x, y, z = signatures(Hierarchy.from_edges([("a", "x"), ("a", "y"), ("b", "z")]), 0)
        >>> bool(x == y), bool(x == z)
        (True, False)
    """
    total = np.zeros(hierarchy.sizes[layer], dtype=np.uint64)
    for source, target, pairs in hierarchy.edges:
        if source == layer:
            np.add.at(total, pairs[0], _scrambled(pairs[1] + (target << 40)))
    return total


def _scrambled(numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """Return the finalizer of SplitMix64: sums of what comes out tell sets apart."""
    z = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _blocks(hierarchy: LayeredGraph) -> _Blocks:
    return {(block.source, block.target): block for block in hierarchy.edges}


def _nothing_renamed(real: LayeredGraph, draw: LayeredGraph) -> bool:
    return real.layers == draw.layers and real.nodes == draw.nodes and dict(real.titles) == dict(draw.titles)


def _every_block(same: Callable[[LayeredGraph, EdgeBlock, EdgeBlock], bool]) -> Callable[..., bool]:
    def check(real: LayeredGraph, draw: LayeredGraph) -> bool:
        ours, theirs = _blocks(real), _blocks(draw)
        if ours.keys() != theirs.keys() or real.sizes != draw.sizes:
            return False
        return all(same(real, block, theirs[place]) for place, block in ours.items())

    return check


def _same_number(real: LayeredGraph, before: EdgeBlock, after: EdgeBlock) -> bool:
    return before.pairs.shape == after.pairs.shape


def _degrees(graph: LayeredGraph, block: EdgeBlock, end: int) -> IntArray:
    return np.bincount(block.pairs[end], minlength=graph.sizes[block[end]])


def _same_degrees(end: int) -> Callable[[LayeredGraph, EdgeBlock, EdgeBlock], bool]:
    def same(real: LayeredGraph, before: EdgeBlock, after: EdgeBlock) -> bool:
        return np.array_equal(_degrees(real, before, end), _degrees(real, after, end))

    return same


def _same_multisets(real: LayeredGraph, before: EdgeBlock, after: EdgeBlock) -> bool:
    return all(
        np.array_equal(np.sort(_degrees(real, before, end)), np.sort(_degrees(real, after, end))) for end in (0, 1)
    )


def _same_sets(real: LayeredGraph, before: EdgeBlock, after: EdgeBlock) -> bool:
    return before.source > 0 or _same_degrees(1)(real, before, after)


def _same_edges(features: bool) -> Callable[[LayeredGraph, EdgeBlock, EdgeBlock], bool]:
    def same(real: LayeredGraph, before: EdgeBlock, after: EdgeBlock) -> bool:
        if (before.source == 0) != features or before.pairs is after.pairs:
            return True
        a, b = before.pairs, after.pairs
        return np.array_equal(a, b) or np.array_equal(a[:, np.lexsort(a)], b[:, np.lexsort(b)])

    return same


_same_feature_edges = _every_block(_same_edges(features=True))
_same_pathway_edges = _every_block(_same_edges(features=False))


def _features_relabelled(real: LayeredGraph, draw: LayeredGraph) -> bool:
    same = np.array_equal(np.sort(signatures(real, 0)), np.sort(signatures(draw, 0)))
    return same and _same_pathway_edges(real, draw)


def _nodes_relabelled(real: LayeredGraph, draw: LayeredGraph) -> bool:
    pairs = zip(_sets_beneath(real), _sets_beneath(draw), strict=True)
    return real.sizes == draw.sizes and all(np.array_equal(np.sort(a), np.sort(b)) for a, b in pairs)


def _sets_beneath(graph: LayeredGraph) -> list[NDArray[np.uint64]]:
    """Return a number per node that two nodes share if all beneath them is the same (but for chance, 2^-64)."""
    numbers = [
        np.arange(graph.sizes[0], dtype=np.uint64),
        *(np.zeros(size, dtype=np.uint64) for size in graph.sizes[1:]),
    ]
    for source, target, pairs in sorted(graph.edges, key=lambda block: block.source):
        # the scrambled number of the child depends on its layer, for edges that skip layers
        child = _scrambled(_scrambled(numbers[source]) + np.uint64(source))
        np.add.at(numbers[target], pairs[1], child[pairs[0]])
    return numbers


_CHECKS: dict[str, Callable[[LayeredGraph, LayeredGraph], bool]] = {
    "layer_sizes": _nothing_renamed,
    "edge_counts": _every_block(_same_number),
    "source_degrees": _every_block(_same_degrees(0)),
    "target_degrees": _every_block(_same_degrees(1)),
    "degree_multisets": _every_block(_same_multisets),
    "set_sizes": _every_block(_same_sets),
    "feature_edges": _same_feature_edges,
    "pathway_edges": _same_pathway_edges,
    "isomorphic": _features_relabelled,
    "relabelled": _nodes_relabelled,
}

INVARIANTS = tuple(_CHECKS)
"""Names of what a null model may keep; a block holds the edges from one layer to another.

- layer_sizes: layers, nodes, their order and their titles
- edge_counts: the number of edges of each block
- source_degrees: in each block, the number of edges out of each node
- target_degrees: in each block, the number of edges into each node
- degree_multisets: in each block, both degree sequences but for whose they are
- set_sizes: how many features each node takes directly
- feature_edges: which features each node takes directly
- pathway_edges: all edges between nodes above the features
- isomorphic: all but which feature stands where
- relabelled: all but which node above the features goes by which name
"""
