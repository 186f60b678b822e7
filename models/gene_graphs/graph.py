"""`GenePathwayGraph`: the genes that are measured, the pathways they belong to, and which pathway lies beneath which.

Legend: F columns of the expression, G genes, P pathways, E memberships, R relations between pathways.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, shown
from ...structures import EdgeBlock, Hierarchy, NullModel, ShuffleHierarchy

__all__ = ["GenePathwayGraph", "Membership"]

Membership = Literal["beneath", "attached"]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GenePathwayGraph:
    """Genes, pathways, memberships and relations between pathways, of one table of expression. It does not change.

    `from_hierarchy` and `from_gene_sets` make one and leave out what the table does not measure.

    Args:
        genes: Names of the G genes that belong to a pathway, in the order of the table.
        pathways: Names of the P pathways.
        memberships: int64 (2, E): gene and pathway, sorted by pathway and then by gene.
        relations: int64 (2, R): child and parent, sorted by parent and then by child; without a cycle.
        columns: int64 (G,), the column of the table that holds each gene.
        num_columns: Number F of columns of the table.
        titles: Readable names of pathways.

    Example:
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
        >>> graph = GenePathwayGraph.from_hierarchy(Hierarchy.from_edges(edges), ["TP53", "unknown", "BRCA1"])
        >>> graph.genes, graph.pathways, graph.columns.tolist()
        (('TP53', 'BRCA1'), ('death', 'repair', 'cell'), [0, 2])
        >>> graph.memberships.tolist(), graph.relations.tolist(), graph.depths.tolist()
        ([[0, 1, 0, 1], [0, 1, 2, 2]], [[0, 1], [2, 2]], [2, 2, 1])
    """

    genes: tuple[str, ...]
    pathways: tuple[str, ...]
    memberships: IntArray
    relations: IntArray
    columns: IntArray
    num_columns: int
    titles: Mapping[str, str]

    @classmethod
    def from_hierarchy(
        cls,
        hierarchy: Hierarchy,
        genes: Sequence[str] | None = None,
        *,
        membership: Membership = "beneath",
        min_genes: int = 1,
    ) -> Self:
        """Return the graph of a hierarchy: every name above the features is one pathway, on however many layers.

        Args:
            hierarchy: The hierarchy.
            genes: Names of the table's columns; None says that they are the hierarchy's features, in its order.
            membership: Genes of a pathway: all that lie "beneath" it, as the published gene sets have them, or those
                that are "attached" to it itself; others then reach it through its children alone.
            min_genes: Pathways with fewer measured genes beneath them are left out.

        Raises:
            InputError: If an option is unusable, a column stands twice, or nothing is left.

        Example:
            >>> edges = [("cell", "death"), ("death", "TP53"), ("cell", "ATM")]
            >>> hierarchy = Hierarchy.from_edges(edges, attach="every")
            >>> GenePathwayGraph.from_hierarchy(hierarchy, membership="attached").memberships.tolist()
            [[0, 1], [0, 1]]
        """
        if membership not in get_args(Membership):
            raise InputError(f"membership is {membership!r}; it must be one of {', '.join(get_args(Membership))}")
        names = list(dict.fromkeys(name for layer in hierarchy.nodes[1:] for name in layer))
        place = {name: number for number, name in enumerate(names)}
        beneath, attached = [], []
        for layer in range(1, len(hierarchy.layers)):
            found = hierarchy.memberships(layer).tocoo()
            beneath.append(np.stack([found.col, _named(place, hierarchy, layer)[found.row]]))
        for source, target, pairs in hierarchy.edges:
            if source == 0:
                attached.append(np.stack([pairs[0], _named(place, hierarchy, target)[pairs[1]]]))
        return cls._measured(
            hierarchy.features if genes is None else genes,
            hierarchy.features,
            names,
            np.concatenate(beneath, axis=1),
            np.concatenate(attached if membership == "attached" else beneath, axis=1),
            _relations(hierarchy, place),
            min_genes,
            hierarchy.titles,
        )

    @classmethod
    def from_gene_sets(
        cls, gene_sets: Mapping[str, Sequence[str]], genes: Sequence[str], *, min_genes: int = 1
    ) -> Self:
        """Return the graph of named sets of genes, without relations between them.

        Files of sets are read by `Hierarchy.from_gmt` and `Hierarchy.from_signatures`, whose result `from_hierarchy`
        takes.

        Raises:
            InputError: If a column stands twice, or no set has enough measured genes.

        Example:
            >>> GenePathwayGraph.from_gene_sets({"death": ["TP53", "BAX"]}, ["BAX", "TP53", "ATM"]).memberships.tolist()
            [[0, 1], [0, 0]]
        """
        features = list(dict.fromkeys(gene for members in gene_sets.values() for gene in members))
        place = {name: number for number, name in enumerate(features)}
        pairs = [(place[gene], number) for number, members in enumerate(gene_sets.values()) for gene in members]
        beneath = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        nothing = np.empty((2, 0), dtype=np.int64)
        return cls._measured(genes, features, list(gene_sets), beneath, beneath, nothing, min_genes, {})

    @classmethod
    def _measured(
        cls,
        columns: Sequence[str],
        features: Sequence[str],
        names: Sequence[str],
        beneath: IntArray,
        members: IntArray,
        relations: IntArray,
        min_genes: int,
        titles: Mapping[str, str],
    ) -> Self:
        """Keep measured genes and pathways with enough of them, in the order of the columns and of the names."""
        if min_genes < 1:
            raise InputError(f"min_genes is {min_genes}; it must be a positive integer")
        column_of = {name: number for number, name in enumerate(columns)}
        if len(column_of) < len(columns):
            twice = next(name for number, name in enumerate(columns) if column_of[name] != number)
            raise InputError(f"the gene {twice} stands twice among the columns; every gene may have one")
        column = np.array([column_of.get(name, -1) for name in features], dtype=np.int64)
        beneath, members = (
            np.stack([column[pairs[0]], pairs[1]])[:, column[pairs[0]] >= 0] for pairs in (beneath, members)
        )
        sizes = np.bincount(_unique(beneath)[1], minlength=len(names))
        kept = sizes >= min_genes
        if not kept.any():
            raise InputError(
                f"no pathway has {min_genes} or more of the {len(columns):,} measured genes ({shown(columns, 3)}); the "
                f"genes of pathways are named like {shown(features, 3)}"
            )
        new = np.cumsum(kept) - 1
        members = members[:, kept[members[1]]]
        relations = relations[:, kept[relations].all(axis=0)]
        used, gene = np.unique(members[0], return_inverse=True)
        return cls(
            tuple(columns[int(number)] for number in used),
            tuple(name for name, keep in zip(names, kept, strict=True) if keep),
            _unique(np.stack([gene, new[members[1]]])),
            _unique(new[relations]),
            used,
            len(columns),
            {name: titles[name] for name, keep in zip(names, kept, strict=True) if keep and name in titles},
        )

    @cached_property
    def depths(self) -> IntArray:
        """Length of the longest way from each pathway up to a root, int64 (P,); roots have 1."""
        depth = np.ones(len(self.pathways), dtype=np.int64)
        child, parent = self.relations
        for _ in self.pathways:
            new = depth.copy()
            np.maximum.at(new, child, depth[parent] + 1)
            if np.array_equal(new, depth):
                return depth
            depth = new
        raise InputError("the relations between pathways hold a cycle; a hierarchy has none")

    @cached_property
    def digest(self) -> int:
        """A signed 64-bit number that other names, other edges or other columns would change."""
        digest = hashlib.sha256(json.dumps([self.genes, self.pathways, self.num_columns]).encode())
        for part in (self.memberships, self.relations, self.columns):
            digest.update(np.ascontiguousarray(part).tobytes())
        return int.from_bytes(digest.digest()[:8], "little", signed=True)

    def to_hierarchy(self) -> Hierarchy:
        """Return it as a hierarchy with one layer per depth, the genes lowest, in which edges may skip layers.

        Example:
            >>> graph = GenePathwayGraph.from_gene_sets({"death": ["TP53"]}, ["TP53"])
            >>> graph.to_hierarchy().layers
            ('features', 'level_1')
        """
        deepest = int(self.depths.max())
        layer = deepest + 1 - self.depths
        inside = np.zeros(len(self.pathways), dtype=np.int64)
        nodes: list[tuple[str, ...]] = [self.genes]
        for number in range(1, deepest + 1):
            here = np.flatnonzero(layer == number)
            inside[here] = np.arange(len(here))
            nodes.append(tuple(self.pathways[place] for place in here))
        gene, pathway = self.memberships
        child, parent = self.relations
        blocks = [*_blocks(np.zeros_like(gene), layer[pathway], gene, inside[pathway])]
        blocks += _blocks(layer[child], layer[parent], inside[child], inside[parent])
        names = ("features", *(f"level_{deepest + 1 - number}" for number in range(1, deepest + 1)))
        return Hierarchy(names, tuple(nodes), tuple(blocks), titles=self.titles)

    def shuffled(self, seed: int, null: NullModel | None = None) -> Self:
        """Return a draw of a null model: the same genes and pathways with other edges.

        Args:
            seed: Seed of the draw.
            null: The null model, which sees `to_hierarchy`; None takes `ShuffleHierarchy`, which leaves every gene set
                as it is and gives each pathway the parents of another one of its depth.

        Raises:
            InputError: If the null model can change nothing here, as without relations between pathways.

        Example:
            >>> edges = [("r", "a"), ("r", "b"), ("s", "c"), ("a", "x"), ("b", "y"), ("c", "z")]
            >>> graph = GenePathwayGraph.from_hierarchy(Hierarchy.from_edges(edges))
            >>> draw = graph.shuffled(seed=1)
            >>> draw.relations.tolist() != graph.relations.tolist(), draw.depths.tolist() == graph.depths.tolist()
            (True, True)
        """
        draw = (null or ShuffleHierarchy())(self.to_hierarchy(), seed)
        place = {name: number for number, name in enumerate(self.pathways)}
        members = [
            np.stack([pairs[0], _named(place, draw, target)[pairs[1]]])
            for source, target, pairs in draw.edges
            if source == 0
        ]
        return replace(
            self,
            memberships=_unique(np.concatenate(members, axis=1)),
            relations=_relations(draw, place),
        )


def _named(place: Mapping[str, int], hierarchy: Hierarchy, layer: int) -> IntArray:
    """Return the number of the pathway that each node of a layer is."""
    return np.array([place[name] for name in hierarchy.nodes[layer]], dtype=np.int64)


def _relations(hierarchy: Hierarchy, place: Mapping[str, int]) -> IntArray:
    """Return child and parent of all edges between pathways; those between copies of one pathway are none."""
    found = [np.empty((2, 0), dtype=np.int64)]
    for source, target, pairs in hierarchy.edges:
        if source > 0:
            ends = _named(place, hierarchy, source)[pairs[0]], _named(place, hierarchy, target)[pairs[1]]
            found.append(np.stack(ends))
    relations = np.concatenate(found, axis=1)
    return _unique(relations[:, relations[0] != relations[1]])


def _unique(pairs: IntArray) -> IntArray:
    """Return every pair once, sorted by the second row and then by the first."""
    return np.unique(pairs[::-1].astype(np.int64), axis=1)[::-1].copy()


def _blocks(source: IntArray, target: IntArray, first: IntArray, second: IntArray) -> list[EdgeBlock]:
    kinds = np.unique(np.stack([source, target]), axis=1).T.tolist()
    return [
        EdgeBlock(low, high, np.stack([first, second])[:, (source == low) & (target == high)]) for low, high in kinds
    ]
