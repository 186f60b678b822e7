"""An ontology as arrays: nodes, parent-child relations and annotated features, checked on the way in."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import SupportsIndex

import numpy as np
from scipy import sparse

from ..errors import InputError, shown
from .matrices import IntArray, ones
from .text_table import SourceFile

__all__ = ["Graph", "Pairs", "build_graph", "nearest"]


@dataclass(frozen=True)
class Pairs:
    """Two columns of names from a file, with the line of each row.

    Args:
        name: Name of the file.
        first: Parents, or features.
        second: Children, or nodes that the features are annotated to.
        lines: Line of each row.
    """

    name: str
    first: list[str]
    second: list[str]
    lines: Sequence[int]

    def where(self, row: SupportsIndex) -> str:
        """Return the file and line of a row, for an error."""
        return f"{self.name} line {self.lines[int(row)]}"

    def only(self, keep: Callable[[str, str], bool]) -> "Pairs":
        """Return the rows for which `keep(first, second)` is true."""
        chosen = [row for row, pair in enumerate(zip(self.first, self.second, strict=True)) if keep(*pair)]
        first, second = [self.first[row] for row in chosen], [self.second[row] for row in chosen]
        return Pairs(self.name, first, second, [self.lines[row] for row in chosen])


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph of N nodes with annotated features.

    Args:
        nodes: Names of the nodes, sorted.
        relations: (2, R) parent and child.
        features: Names of the features, in the user's order.
        annotations: (2, A) distinct feature and node.
        rows: Annotation rows before duplicates were merged.
        rows_elsewhere: Rows of other species or namespaces that were left out.
        titles: Readable names of nodes.
        sources: The files that it comes from.
    """

    nodes: tuple[str, ...]
    relations: IntArray
    features: tuple[str, ...]
    annotations: IntArray
    rows: int = 0
    rows_elsewhere: int = 0
    titles: dict[str, str] = field(default_factory=dict)
    sources: tuple[SourceFile, ...] = ()

    def adjacency(self) -> sparse.csr_array:
        """Return the (N, N) matrix with a one for every parent (row) and child (column)."""
        return ones(self.relations, (len(self.nodes), len(self.nodes)))

    def own(self) -> sparse.csr_array:
        """Return the (N, F) matrix with a one for every node and feature annotated to it."""
        return ones(self.annotations[::-1], (len(self.nodes), len(self.features)))


def build_graph(
    relations: Pairs,
    annotations: Pairs,
    features: Iterable[str] | None,
    *,
    titles: dict[str, str] | None = None,
    sources: Iterable[SourceFile] = (),
    rows_elsewhere: int = 0,
) -> Graph:
    """Check relations and annotations and turn their names into numbers.

    Nodes that only annotations name become roots.

    Args:
        relations: Parent and child.
        annotations: Feature and node.
        features: The features wanted, in this order; None takes all annotated ones, sorted.
        titles: Readable names.
        sources: The files.
        rows_elsewhere: Rows that a filter by species or namespace left out.

    Raises:
        InputError: If a relation is empty, repeated or joins a node to itself, if relations form a cycle, if a feature
            is given twice, or if no feature is annotated.
    """
    annotations, wanted = _annotations_of(annotations, features)
    nodes = sorted({*relations.first, *relations.second, *annotations.second})
    number = {name: place for place, name in enumerate(nodes)}
    edges = np.stack([_numbers(relations.first, number), _numbers(relations.second, number)])
    _check_relations(relations, edges, len(nodes), nodes)
    feature_number = {name: place for place, name in enumerate(wanted)}
    pairs = np.stack([_numbers(annotations.first, feature_number), _numbers(annotations.second, number)])
    distinct = np.unique(pairs[0] * len(nodes) + pairs[1])
    return Graph(
        nodes=tuple(nodes),
        relations=edges,
        features=tuple(wanted),
        annotations=np.stack(np.divmod(distinct, len(nodes))),
        rows=pairs.shape[1],
        rows_elsewhere=rows_elsewhere,
        titles=titles or {},
        sources=tuple(sources),
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the names most like `name`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _numbers(names: list[str], number: dict[str, int]) -> IntArray:
    return np.fromiter(map(number.__getitem__, names), dtype=np.int64, count=len(names))


def _annotations_of(annotations: Pairs, features: Iterable[str] | None) -> tuple[Pairs, list[str]]:
    """Return the annotations of the wanted features, and these."""
    for row, (feature, node) in enumerate(zip(annotations.first, annotations.second, strict=True)):
        if not feature or not node:
            raise InputError(f"{annotations.where(row)} has an empty cell; name both the feature and its node")
    if features is None:
        return annotations, sorted(set(annotations.first))
    if isinstance(features, str):
        raise InputError(f"features is the text {features!r}; give a list of names")
    wanted = [str(name) for name in features]
    known = set(wanted)
    if len(known) != len(wanted):
        repeated = sorted(name for name in known if wanted.count(name) > 1)
        raise InputError(f"features names {shown(repeated)} more than once; give every feature once")
    found = annotations.only(lambda feature, _: feature in known)
    if not found.first:
        raise InputError(
            f"none of the {len(wanted):,} features ({shown(wanted, 3)}) is in {annotations.name}, whose features are "
            f"named like {shown(annotations.first, 3)}; give features under the same kind of name, or the table that "
            "maps yours"
        )
    return found, wanted


def _check_relations(relations: Pairs, edges: IntArray, num_nodes: int, nodes: Sequence[str]) -> None:
    for row in np.flatnonzero(edges[0] == edges[1]):
        name = relations.first[row]
        raise InputError(f"{relations.where(row)} makes {name or 'an empty name'} its own parent; take that line out")
    for row in np.flatnonzero([not (a and b) for a, b in zip(relations.first, relations.second, strict=True)]):
        raise InputError(f"{relations.where(row)} has an empty cell; name both the parent and the child")
    keys = edges[0] * num_nodes + edges[1]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    for row in np.flatnonzero(first[inverse] != np.arange(len(keys))):
        pair = f"{relations.first[row]}, {relations.second[row]}"
        earlier = relations.lines[int(first[inverse[row]])]
        raise InputError(f"{relations.where(row)} repeats line {earlier} ({pair}); take one of them out")
    if cycle := _find_cycle(edges, num_nodes):
        rows = {key: row for row, key in enumerate(keys)}
        row = rows[cycle[0] * num_nodes + cycle[1]]
        text = " -> ".join(nodes[node] for node in cycle)
        raise InputError(
            f"{relations.where(row)} is part of the cycle {text}; a hierarchy has none, take out one of it"
        )


def _find_cycle(edges: IntArray, num_nodes: int) -> list[int]:
    """Return the nodes of one cycle, the first again at its end, or nothing."""
    matrix = ones(edges, (num_nodes, num_nodes))
    _, component = sparse.csgraph.connected_components(matrix, connection="strong")
    inside = component[edges[0]] == component[edges[1]]
    if not inside.any():
        return []
    # Within a strong component every node has a child, so a walk must come back to where it has been.
    child = dict(zip(*edges[:, inside].tolist(), strict=True))
    trail = [int(edges[0, inside][0])]
    while trail[-1] not in trail[:-1]:
        trail.append(child[trail[-1]])
    return trail[trail.index(trail[-1]) :]
