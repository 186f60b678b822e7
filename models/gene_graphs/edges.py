"""Which edges a graph offers to message passing, by the switch from flat to hierarchical.

Legend: G genes, P pathways; nodes are the genes and then the pathways.
"""

from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ...activations import ActivationSpec, LayerActivations
from ...errors import InputError
from .graph import GenePathwayGraph

__all__ = ["GraphEdges", "HierarchyUse", "graph_edges", "one_per_place", "used_graph"]

HierarchyUse = Literal["flat", "bipartite", "hierarchical", "shuffled"]
IntArray = NDArray[np.int64]


class GraphEdges(NamedTuple):
    """Edges by what they lead to, and how many nodes there are.

    Attributes:
        memberships: int64 (2, E): gene and pathway.
        relations: int64 (2, R): child and parent; none unless the hierarchy is used.
        into_pathways: int64 (2, E + 2 R): node and pathway, sorted by pathway and then by node.
        into_genes: int64 (2, E): pathway and gene; none if flat.
        num_genes: G.
        num_pathways: P.
        num_sources: Number of nodes that pathways attend to: the genes, or all.
    """

    memberships: IntArray
    relations: IntArray
    into_pathways: IntArray
    into_genes: IntArray
    num_genes: int
    num_pathways: int
    num_sources: int


def used_graph(graph: GenePathwayGraph, use: HierarchyUse, shuffle_seed: int = 0) -> GenePathwayGraph:
    """Return the graph with the relations that a switch leaves: none, its own, or those of a draw.

    Raises:
        InputError: If the switch is unknown, or asks for relations that the graph does not have.
    """
    if use not in get_args(HierarchyUse):
        raise InputError(f"hierarchy is {use!r}; it must be one of {', '.join(get_args(HierarchyUse))}")
    if use in ("flat", "bipartite"):
        return replace(graph, relations=np.empty((2, 0), dtype=np.int64))
    if not graph.relations.shape[1]:
        raise InputError(
            f"hierarchy is {use!r}, but the graph has no relation between pathways; take 'bipartite' or 'flat', or a "
            "hierarchy with more than one level of pathways"
        )
    return graph.shuffled(shuffle_seed) if use == "shuffled" else graph


def graph_edges(graph: GenePathwayGraph, use: HierarchyUse) -> GraphEdges:
    """Return the edges of a graph that `used_graph` returned for the same switch."""
    genes, pathways = len(graph.genes), len(graph.pathways)
    members, none = graph.memberships, np.empty((2, 0), dtype=np.int64)
    child, parent = graph.relations
    pairs = np.concatenate([members, np.stack([child + genes, parent]), np.stack([parent + genes, child])], axis=1)
    into_pathways = pairs[:, np.lexsort(pairs)]
    into_genes = none if use == "flat" else members[::-1]
    sources = genes + pathways if len(child) else genes
    return GraphEdges(members, graph.relations, into_pathways, into_genes, genes, pathways, sources)


def one_per_place(activation: LayerActivations, count: int) -> list[ActivationSpec]:
    """Return one spec per place.

    Raises:
        InputError: If a list has another length.
    """
    if not isinstance(activation, list):
        return [activation] * count
    if len(activation) != count:
        raise InputError(f"activation lists {len(activation)} specs; this encoder has {count} places, give one each")
    return list(activation)
