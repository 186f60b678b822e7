"""`Connectome`: who is wired to whom, by which kind of contact and how strongly."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..errors import InputError
from .graph import nearest
from .matrices import IntArray
from .text_table import Header, SourceFile, TableLike
from .wiring import read_wiring

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Connectome", "ConnectomeSummary", "TypedEdges"]


class TypedEdges(NamedTuple):
    """All edges of one type.

    Args:
        type: Name of the type, such as chemical or electrical.
        pairs: int64 (2, E), read-only: row 0 the place of the node that the edge leaves, row 1 of the one it enters.
        weights: float64 (E,), read-only: number of synapses, or whatever the file counts.

    Example:
        >>> TypedEdges("electrical", np.array([[0], [1]]), np.array([2.0])).type
        'electrical'
    """

    type: str
    pairs: IntArray
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Connectome:
    """Named nodes with typed, weighted, directed edges; self-edges and cycles are allowed, and nothing in it changes.

    Args:
        nodes: Names of the nodes.
        edges: The edges of each type; types are never mixed.
        sources: The files that it comes from, with their hashes.
        notes: What else was done to it, one line each.

    Raises:
        InputError: If a name or a type is repeated, or an edge is repeated or out of range.

    Example:
        >>> wiring = Connectome.from_edges([("AVA", "AVB", "chemical", 3), ("AVB", "AVB", "electrical", 1)])
        >>> wiring.nodes, wiring.types, wiring.num_self_edges
        (('AVA', 'AVB'), ('chemical', 'electrical'), 1)
        >>> wiring.adjacency("chemical").toarray().tolist()
        [[0.0, 3.0], [0.0, 0.0]]
    """

    nodes: tuple[str, ...]
    edges: tuple[TypedEdges, ...]
    sources: tuple[SourceFile, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        if len(set(self.nodes)) != len(self.nodes) or len(set(self.types)) != len(self.types):
            raise InputError(
                "a node or a type is named twice; every node and every type of a connectome has its own name"
            )
        object.__setattr__(self, "edges", tuple(self._checked(*typed) for typed in self.edges))

    def _checked(self, kind: str, pairs: IntArray, weights: NDArray[np.float64]) -> TypedEdges:
        pairs, weights, number = np.array(pairs, dtype=np.int64), np.array(weights, dtype=np.float64), len(self.nodes)
        if pairs.shape != (2, len(weights)) or ((pairs < 0) | (pairs >= number)).any():
            raise InputError(
                f"the {kind} edges have the shape {pairs.shape}; it must be (2, E) with places below {number}"
            )
        if len(np.unique(pairs[0] * number + pairs[1])) != pairs.shape[1]:
            raise InputError(f"the {kind} edges repeat an edge; give each once")
        pairs.flags.writeable = weights.flags.writeable = False
        return TypedEdges(kind, pairs, weights)

    @classmethod
    def from_edges(
        cls,
        edges: TableLike,
        *,
        columns: tuple[str, str, str, str] | None = None,
        symmetrize: str | Sequence[str] = (),
        header: Header = "auto",
    ) -> Self:
        """Read a wiring list: where an edge leaves, where it enters, its type, how many contacts it has.

        Args:
            edges: A file (tab, comma or semicolon between cells; also gzipped), a data frame or rows. Spaces around
                names do not count. With a header the columns are found by their names (pre or source, post or target,
                type, synapses or weight or count); without one they stand in this order, the last two in either.
            columns: Names of the four columns, where the header has others.
            symmetrize: Types whose edges are mirrored, such as "electrical": gap junctions have no direction, but
                files mostly list a pair once. Where both directions stand, both get the larger weight.
            header: Whether the table begins with the names of its columns; "auto" tells by the first line.

        Raises:
            InputError: If a cell is empty, a weight is no positive number, an edge stands twice, or a type to
                symmetrize is not there.

        Example:
            >>> once = Connectome.from_edges([("a", "b", "electrical", 2)], symmetrize="electrical")
            >>> once.adjacency("electrical").toarray().tolist()
            [[0.0, 2.0], [2.0, 0.0]]
        """
        rows = read_wiring(edges, columns=columns, header=header)
        names = sorted({*rows.pre, *rows.post})
        place = {name: number for number, name in enumerate(names)}
        pairs = np.array([[place[name] for name in rows.pre], [place[name] for name in rows.post]])
        types, weights = np.array(rows.types), np.array(rows.weights)
        typed = [TypedEdges(str(kind), pairs[:, types == kind], weights[types == kind]) for kind in np.unique(types)]
        made = cls(tuple(names), tuple(typed), (rows.source,))
        return made.symmetrized([symmetrize] if isinstance(symmetrize, str) else symmetrize)

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the types."""
        return tuple(typed[0] for typed in self.edges)

    @property
    def num_edges(self) -> int:
        """Number of edges of all types."""
        return sum(typed.pairs.shape[1] for typed in self.edges)

    @property
    def num_self_edges(self) -> int:
        """Number of edges, of all types, from a node to itself."""
        return sum(int((typed.pairs[0] == typed.pairs[1]).sum()) for typed in self.edges)

    def of_type(self, kind: str) -> TypedEdges:
        """Return the edges of one type.

        Raises:
            InputError: If there is no such type.
        """
        if kind not in self.types:
            raise InputError(f"no edge is of the type {kind!r}; the types are {', '.join(self.types)}")
        return self.edges[self.types.index(kind)]

    def adjacency(self, kind: str) -> sparse.csr_array:
        """Return the weights of one type as a CSR matrix: row the node that an edge leaves, column the one it enters.

        Raises:
            InputError: If there is no such type.
        """
        typed = self.of_type(kind)
        return sparse.csr_array((typed.weights, tuple(typed.pairs)), shape=(len(self.nodes), len(self.nodes)))

    def position(self, name: str) -> int:
        """Return the place of a node.

        Raises:
            InputError: If there is no such node; the nearest names are suggested.
        """
        if name not in self.nodes:
            raise InputError(f"no node is named {name!r}{nearest(name, self.nodes)}")
        return self.nodes.index(name)

    def symmetrized(self, kinds: Iterable[str]) -> Self:
        """Return the connectome with the edges of these types mirrored; see `from_edges`.

        Raises:
            InputError: If there is no such type.
        """
        made = self
        for kind in kinds:
            typed = made.of_type(kind)
            weights = made.adjacency(kind)
            both = sparse.coo_array(weights.maximum(weights.T))
            pairs = np.stack(both.coords).astype(np.int64)
            mirrored = TypedEdges(kind, pairs, both.data.astype(np.float64))
            edges = tuple(mirrored if old is typed else old for old in made.edges)
            added = pairs.shape[1] - typed.pairs.shape[1]
            note = f"{kind} edges mirrored: {added:,} added to {typed.pairs.shape[1]:,}"
            made = replace(made, edges=edges, notes=(*made.notes, note))
        return made

    def to_table(self) -> "pd.DataFrame":
        """Return the edges by name: pre, post, type, weight; `from_edges` reads it."""
        import pandas as pd

        parts = [
            {"pre": self.nodes[a], "post": self.nodes[b], "type": kind, "weight": weight}
            for kind, pairs, weights in self.edges
            for a, b, weight in zip(*pairs, weights, strict=True)
        ]
        return pd.DataFrame(parts, columns=["pre", "post", "type", "weight"])

    def summary(self) -> "ConnectomeSummary":
        """Return nodes, edges, self-edges, reciprocity and weights per type; its text is a table."""
        return ConnectomeSummary(len(self.nodes), tuple(map(_row, self.edges)), self.sources, self.notes)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of nodes, types, edges and weights."""
        digest = hashlib.sha256(json.dumps(self.nodes).encode())
        for kind, pairs, weights in sorted(self.edges, key=lambda typed: typed.type):
            order = np.lexsort(pairs)
            digest.update(kind.encode() + pairs[:, order].tobytes() + weights[order].tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connectome) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        # Copies and other processes get arrays that cannot be written to, too.
        return type(self), (self.nodes, self.edges, self.sources, self.notes)


@dataclass(frozen=True)
class ConnectomeSummary:
    """What `connectome.summary()` returns; its text is a table.

    Args:
        nodes: Number of nodes.
        rows: Per type: name, edges, self-edges, share of edges whose mirror image exists, sum and largest weight.
        sources: The files.
        notes: What else was done.

    Example:
        >>> summary = Connectome.from_edges([("a", "b", "chemical", 3), ("b", "a", "chemical", 1)]).summary()
        >>> print(str(summary).splitlines()[0])
        2 nodes, 2 edges, 0 self-edges
    """

    nodes: int
    rows: tuple[tuple[str, int, int, float, float, float], ...]
    sources: tuple[SourceFile, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        edges, loops = sum(row[1] for row in self.rows), sum(row[2] for row in self.rows)
        lines = [f"{self.nodes:,} nodes, {edges:,} edges, {loops:,} self-edges"]
        for kind, number, own, mirrored, total, largest in self.rows:
            lines.append(
                f"{kind}: {number:,} edges, {own:,} self-edges, {mirrored:.1%} mirrored, weights {total:g} in all, "
                f"{largest:g} at most"
            )
        lines += [f"source: {source.name} sha256 {source.sha256}" for source in self.sources]
        return "\n".join([*lines, *self.notes])


def _row(typed: TypedEdges) -> tuple[str, int, int, float, float, float]:
    between = typed.pairs[:, typed.pairs[0] != typed.pairs[1]]
    known = set(zip(*between.tolist(), strict=True))
    mirrored = sum((b, a) in known for a, b in known) / len(known) if known else float("nan")
    number = typed.pairs.shape[1]
    own = number - between.shape[1]
    return typed.type, number, own, mirrored, float(typed.weights.sum()), float(typed.weights.max(initial=0.0))
