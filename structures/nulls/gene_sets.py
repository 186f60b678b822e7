"""Null models that give every pathway other features, as many as it has: random ones, or co-expressed ones."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from ..hierarchy import Hierarchy
from ..matrices import IntArray, as_boolean, ones
from .base import NullModel, sorted_pairs
from .random_stream import RandomStream, distinct_places
from .shuffles import some_choice

__all__ = ["RandomGeneSets", "SetChooser", "redrawn_sets", "sets_can_change"]

# (wanted features per node, features that the node's children bring or None) -> (2, E): node, feature
SetChooser = Callable[[IntArray, "sparse.csr_array | None"], IntArray]


class RandomGeneSets(NullModel):
    """Give every pathway as many random features as it takes, and keep the hierarchy of the pathways above.

    The pathways of the lowest layer get random sets of their own sizes; since the edges between pathways stay, every
    pathway above holds what its children hold. Where pathways of upper layers take features directly (edges that skip
    layers), they get as many random ones that their children do not bring, as far as there are any.

    Keeps the size of every set and all edges between pathways. Breaks which features share a set, how many sets a
    feature stands in (some stand in none and are dead inputs), overlaps of sets, and with them the number of
    different features beneath upper pathways.

    Source: size-matched random pathways, the usual control of pathway networks (Li et al. 2023,
    doi:10.1093/bioinformatics/btad390; arXiv:2505.04300).

    Example:
        >>> edges = [("r", "a"), ("r", "b"), ("a", "w"), ("a", "x"), ("b", "y"), ("b", "z")]
        >>> draw = RandomGeneSets()(Hierarchy.from_edges(edges), seed=0)
        >>> len(draw.children("a")), draw.children("r")
        (2, ('a', 'b'))
    """

    keeps = frozenset({"layer_sizes", "edge_counts", "target_degrees", "set_sizes", "pathway_edges"})
    needs = "a pathway with some but not all of the features"

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return the pairs with other features."""
        stream = RandomStream(seed, "sets")
        size = hierarchy.sizes[0]
        return redrawn_sets(hierarchy, lambda counts, brought: _random_sets(counts, brought, size, stream))

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return which blocks that leave the features have a node with some, but not all, of them."""
        return sets_can_change(hierarchy)


def sets_can_change(hierarchy: Hierarchy) -> dict[int, bool]:
    """Return which blocks that leave the features have a node with some, but not all, of them."""
    blocks = enumerate(hierarchy.edges)
    return {place: some_choice(hierarchy, block, 1) for place, block in blocks if block.source == 0}


def redrawn_sets(hierarchy: Hierarchy, choose: SetChooser) -> list[IntArray]:
    """Return all pairs with the features of every node chosen anew, from the lowest layer up."""
    blocks = {block[:2]: block.pairs for block in hierarchy.edges}
    direct = [target for source, target in blocks if source == 0]
    beneath: dict[int, sparse.csr_array] = {}
    for target in range(1, max(direct, default=0) + 1):
        brought = _brought(hierarchy, blocks, beneath, target)
        if target in direct:
            counts = np.bincount(blocks[0, target][1], minlength=hierarchy.sizes[target])
            chosen = choose(counts, brought)
            blocks[0, target] = sorted_pairs(chosen[::-1])
            sets = ones(chosen, (hierarchy.sizes[target], hierarchy.sizes[0]))
            brought = sets if brought is None else as_boolean(brought + sets)
        if brought is not None:
            beneath[target] = brought
    return [blocks[block[:2]] for block in hierarchy.edges]


def _brought(
    hierarchy: Hierarchy, blocks: dict[tuple[int, int], IntArray], beneath: dict[int, sparse.csr_array], target: int
) -> "sparse.csr_array | None":
    """Return the features that the children of a layer's nodes bring, (nodes, features); None where none do."""
    found = None
    for (source, above), pairs in blocks.items():
        if above == target and source in beneath:
            below = ones(pairs[::-1], (hierarchy.sizes[target], hierarchy.sizes[source])) @ beneath[source]
            found = as_boolean(below if found is None else found + below)
    return found


def _random_sets(counts: IntArray, brought: "sparse.csr_array | None", size: int, stream: RandomStream) -> IntArray:
    busy = np.zeros(len(counts), dtype=bool) if brought is None else (np.diff(brought.indptr) > 0) & (counts > 0)
    parts = [distinct_places(np.where(busy, 0, counts), size, stream)]
    for node in np.flatnonzero(busy):
        taken = np.zeros(size, dtype=bool)
        taken[brought[[node]].indices] = True  # type: ignore[index]
        free, rest = np.flatnonzero(~taken), np.flatnonzero(taken)
        number = min(int(counts[node]), len(free))
        for choices, wanted in ((free, number), (rest, counts[node] - number)):
            chosen = choices[distinct_places(np.array([wanted]), len(choices), stream)[1]]
            parts.append(np.stack([np.full(len(chosen), node), chosen]))
    return np.concatenate(parts, axis=1)
