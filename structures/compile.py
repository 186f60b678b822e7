"""Turn an ontology with annotated features into layers and the edges between them.

Legend: L levels counted from the roots, N nodes, F features. Layer 0 holds the features, layer L + 1 - k level k.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ..errors import InputError
from .graph import Graph
from .levels import Placement, place
from .matrices import BoolArray, IntArray
from .policies import Policies
from .report import MatchingReport
from .text_table import SourceFile
from .trimming import trim

__all__ = ["RESIDUAL", "Layers", "compile_layers"]

RESIDUAL = "residual"


@dataclass(frozen=True)
class Layers:
    """What a hierarchy consists of, as `Hierarchy` takes it."""

    layers: tuple[str, ...]
    nodes: tuple[tuple[str, ...], ...]
    edges: tuple[tuple[int, int, IntArray], ...]
    titles: dict[str, str]
    sources: tuple[SourceFile, ...]
    policies: Policies
    report: MatchingReport


def compile_layers(graph: Graph, policies: Policies) -> Layers:
    """Apply the policies to an ontology.

    Raises:
        InputError: If the filters leave nothing, or more levels are asked for than there are.
    """
    trimmed, empty, counts = trim(graph, policies)
    if not trimmed.nodes or not trimmed.annotations.shape[1]:
        raise InputError(f"min_size {policies.min_size} and max_size {policies.max_size} leave no node; widen them")
    placement = place(trimmed, policies)
    blocks, present = _blocks(trimmed, placement, copy=policies.fill == "copy")
    attached = np.zeros(len(graph.features), dtype=bool)
    for (source, _), pairs in blocks.items():
        if source == 0:
            attached[pairs[0]] = True
    residual = policies.unannotated == "residual" and not attached.all()
    if not attached.any() and not residual:
        raise InputError(
            f"attach={policies.attach!r} leaves no feature, since all are annotated to nodes that have children; use "
            "attach='every'"
        )
    report = replace(
        _report(graph, attached),
        residual=residual,
        nodes_without_features=empty,
        trimmed=counts,
        relations_not_drawn=placement.not_drawn,
    )
    nodes, edges = _number(trimmed, blocks, present, attached, residual=residual, copy=policies.fill == "copy")
    kept = {name for layer in nodes for name in layer}
    titles = {name: title for name, title in graph.titles.items() if name in kept}
    levels = len(placement.real)
    layers = ("features", *(f"level_{level}" for level in range(levels, 0, -1)))
    return Layers(layers, nodes, edges, titles, graph.sources, policies, report)


def _blocks(graph: Graph, placement: Placement, *, copy: bool) -> tuple[dict[tuple[int, int], IntArray], BoolArray]:
    """Return pairs of (feature or child, parent) per (source layer, target layer), and the (L, N) nodes present."""
    if not copy:
        return _skipping_blocks(graph, placement), placement.real
    real, number = placement.real, len(placement.real)
    parent, child = graph.relations[:, placement.joined]
    down, up = _copies(graph, placement)
    present = real | down | up
    blocks = {(0, 1): _pairs((placement.lowest, real[-1]), (placement.upper, down[-1]))}
    for level in range(number - 1):
        drawn = real[level, parent] & present[level + 1, child]
        same = np.flatnonzero(down[level + 1] | up[level])
        pairs = np.stack([np.concatenate([child[drawn], same]), np.concatenate([parent[drawn], same])])
        blocks[number - 1 - level, number - level] = np.unique(pairs, axis=1)
    return blocks, present


def _copies(graph: Graph, placement: Placement) -> tuple[BoolArray, BoolArray]:
    """Return the (L, N) copies below a node that takes features, and those between a child and a higher parent."""
    real = placement.real
    down, up = np.zeros_like(real), np.zeros_like(real)
    takes = placement.terminal | (np.diff(placement.upper.indptr) > 0)
    for level in range(len(real) - 1):
        down[level + 1] = down[level] | (real[level] & takes)
    parent, child = graph.relations[:, placement.joined]
    reached = np.logical_or.accumulate(real)
    for level in range(len(real) - 1):
        # The parent stands above this level, the child only below it: a copy of the child takes its place here.
        between = reached[level, parent] & ~reached[level + 1, child]
        up[level + 1, child[between]] = True
    return down, up


def _skipping_blocks(graph: Graph, placement: Placement) -> dict[tuple[int, int], IntArray]:
    real, number = placement.real, len(placement.real)
    parent, child = graph.relations[:, placement.joined]
    blocks = {}
    for upper in range(number):
        features = placement.lowest if upper == number - 1 else placement.upper
        blocks[0, number - upper] = _pairs((features, real[upper]))
        for lower in range(upper + 1, number):
            drawn = real[upper][parent] & real[lower][child]
            blocks[number - lower, number - upper] = np.stack([child[drawn], parent[drawn]])
    return {place: pairs for place, pairs in sorted(blocks.items()) if pairs.shape[1]}


def _pairs(*chosen: tuple[sparse.csr_array, BoolArray]) -> IntArray:
    """Return distinct (feature, node) of the chosen rows of one or more matrices."""
    found = []
    for matrix, rows in chosen:
        node, feature = sparse.coo_array(matrix).coords
        found.append(np.stack([feature[rows[node]], node[rows[node]]]).astype(np.int64))
    return np.unique(np.concatenate(found, axis=1), axis=1)


def _number(
    graph: Graph,
    blocks: dict[tuple[int, int], IntArray],
    present: BoolArray,
    attached: BoolArray,
    *,
    residual: bool,
    copy: bool,
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[int, int, IntArray], ...]]:
    """Number the nodes within each layer, and add the residual node."""
    levels = len(present)
    kept = np.ones_like(attached) if residual else attached
    masks = [kept, *present[::-1]]
    names = [np.asarray(graph.features, dtype=object), *[np.asarray(graph.nodes, dtype=object)] * levels]
    nodes = [tuple(name[mask]) for name, mask in zip(names, masks, strict=True)]
    places = [np.cumsum(mask) - 1 for mask in masks]
    edges = {
        (source, target): np.stack([places[source][pairs[0]], places[target][pairs[1]]])
        for (source, target), pairs in blocks.items()
    }
    if residual:
        loose = places[0][~attached]
        first = 1 if copy else levels
        pairs = np.stack([loose, np.full(len(loose), len(nodes[first]))])
        edges[0, first] = np.concatenate([edges.get((0, first), pairs[:, :0]), pairs], axis=1)
        for layer in range(first, levels):
            pair = np.array([[len(nodes[layer])], [len(nodes[layer + 1])]])
            edges[layer, layer + 1] = np.concatenate([edges[layer, layer + 1], pair], axis=1)
        for layer in range(first, levels + 1):
            nodes[layer] = (*nodes[layer], RESIDUAL)
    ordered = ((*place, pairs[:, np.lexsort(pairs)].astype(np.int64)) for place, pairs in sorted(edges.items()))
    return tuple(nodes), tuple(ordered)


def _report(graph: Graph, attached: BoolArray) -> MatchingReport:
    annotated = np.zeros(len(graph.features), dtype=bool)
    annotated[graph.annotations[0]] = True
    names = np.asarray(graph.features, dtype=object)
    return MatchingReport(
        num_features=len(names),
        num_annotated=int(annotated.sum()),
        num_attached=int(attached.sum()),
        unannotated=tuple(names[~annotated]),
        unattached=tuple(names[annotated & ~attached]),
        rows=graph.rows,
        pairs=graph.annotations.shape[1],
        rows_elsewhere=graph.rows_elsewhere,
    )
