"""Filters that take nodes out of an ontology without breaking a way from a feature to a root."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from .graph import Graph
from .matrices import BoolArray, as_boolean, as_counts, with_descendants
from .policies import Policies

__all__ = ["contract", "trim"]


def trim(graph: Graph, policies: Policies) -> tuple[Graph, int, dict[str, int]]:
    """Take out nodes without features, then what the policies ask for.

    Returns:
        The graph, the number of nodes without features, and the number of nodes taken out per filter.
    """
    empty = _sizes(graph) == 0
    graph, counts = contract(graph, empty), {}
    if policies.min_size > 1 or policies.max_size is not None:
        sizes = _sizes(graph)
        small = sizes < policies.min_size
        large = np.zeros_like(small) if policies.max_size is None else sizes > policies.max_size
        graph = contract(graph, small | large)
        counts |= {"min_size": int(small.sum()), "max_size": int(large.sum())}
    if policies.redundancy is not None:
        redundant = _redundant(graph, policies.redundancy)
        graph = contract(graph, redundant)
        counts["redundancy"] = int(redundant.sum())
    if policies.collapse_chains:
        graph, counts["collapse_chains"] = _collapse_chains(graph)
    return graph, int(empty.sum()), counts


def contract(graph: Graph, removed: BoolArray) -> Graph:
    """Take nodes out; their children and features go to the nearest ancestors that stay.

    Children of a root that is taken out become roots; its own features lose their place.
    """
    if not removed.any():
        return graph
    keep = np.flatnonzero(~removed)
    gone = np.flatnonzero(removed)
    adjacency = graph.adjacency()
    own = graph.own()
    # From a kept node through nodes that go, over any number of them.
    through = as_boolean(adjacency[keep][:, gone] @ with_descendants(as_boolean(adjacency[gone][:, gone])))
    relations = as_boolean(adjacency[keep][:, keep] + through @ adjacency[gone][:, keep]).tocoo()
    annotated = as_boolean(own[keep] + through @ own[gone]).tocoo()
    names = np.asarray(graph.nodes, dtype=object)[keep]
    return replace(
        graph,
        nodes=tuple(names),
        relations=np.stack([relations.row, relations.col]).astype(np.int64),
        annotations=np.stack([annotated.col, annotated.row]).astype(np.int64),
    )


def members(graph: Graph) -> sparse.csr_array:
    """Return the (N, F) matrix with a one for every feature annotated to a node or to a descendant of it."""
    return as_boolean(with_descendants(graph.adjacency()) @ graph.own())


def _sizes(graph: Graph) -> np.ndarray:
    return np.diff(members(graph).indptr)


def _redundant(graph: Graph, threshold: float) -> BoolArray:
    """Mark every node whose set is like that of a marked-free node nearer to the roots (then: earlier by name)."""
    sets = as_counts(members(graph))
    sizes = np.diff(sets.indptr)
    shared = sparse.coo_array(sets @ sets.T)
    row, column = shared.coords
    similar = shared.data >= threshold * (sizes[row] + sizes[column] - shared.data) - 1e-9
    row, column = row[similar], column[similar]
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((np.arange(len(sizes)), _depths(graph)))] = np.arange(len(sizes))
    later = rank[column] > rank[row]
    pairs = np.stack([rank[row[later]], rank[column[later]]])
    marked = np.zeros(len(sizes), dtype=bool)
    # In the order of rank: whether the first of a pair stays is settled before the pair is looked at.
    for first, second in pairs[:, np.argsort(pairs[0], kind="stable")].T:
        marked[second] |= not marked[first]
    return marked[rank]


def _depths(graph: Graph) -> np.ndarray:
    """Return the number of nodes on the shortest way from a root to each node, from 0."""
    parent, child = graph.relations
    depth = np.full(len(graph.nodes), len(graph.nodes), dtype=np.int64)
    depth[np.bincount(child, minlength=len(depth)) == 0] = 0
    while True:
        new = depth.copy()
        np.minimum.at(new, child, depth[parent] + 1)
        if np.array_equal(new, depth):
            return depth
        depth = new


def _collapse_chains(graph: Graph) -> tuple[Graph, int]:
    parent, child = graph.relations
    children = np.bincount(parent, minlength=len(graph.nodes))
    parents = np.bincount(child, minlength=len(graph.nodes))
    merged = np.zeros(len(graph.nodes), dtype=bool)
    merged[child[(children[parent] == 1) & (parents[child] == 1)]] = True
    return contract(graph, merged), int(merged.sum())
