"""`Hierarchy`: named layers of nodes with edges between layers, and the readers that make one from files."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from .compile import compile_layers
from .gene_sets import GeneSets, read_gene_sets, read_signatures
from .graph import Graph, Pairs, build_graph
from .layered import LayeredGraph
from .obo import read_obo
from .policies import Policies, PolicyOptions
from .reactome import read_reactome
from .report import log_report
from .storage import as_plain, fields_of, read_plain, write_plain
from .summary import HierarchySummary, summarize
from .tables import EDGE_COLUMNS, read_edges, read_layers, read_terms
from .text_table import Header, TableLike

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Hierarchy"]


class Hierarchy(LayeredGraph):
    """Named layers of nodes, features lowest, with edges that go up; no cycle, and nothing in it changes.

    The readers (`from_reactome`, `from_gmt`, `from_signatures`, `from_obo`, `from_edges`, `from_term_table`) compile an
    ontology: they keep the nodes above the features, put them on levels and attach the features, all by stated
    choices (`Policies`, whose fields each of them takes as keywords). `from_table` reads layers that are given as such.

    Args:
        layers: Names of the layers, features first: features, level_4, ..., level_1.
        nodes: Names of the nodes per layer. A name may stand on several layers: as a copy, or where a node stands on
            several levels.
        edges: Blocks of (source layer, target layer, int64 (2, E)), each with source below target; see `EdgeBlock`.
        titles: Readable names of nodes.
        sources: The files that it comes from, with their hashes.
        policies: The choices by which it was compiled.
        report: What became of features and annotations.
        notes: What else was done to it, one line each.

    Raises:
        InputError: If a layer is empty, a name stands twice on a layer, or an edge is repeated, goes down or out of
            range.

    Example:
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
        >>> hierarchy = Hierarchy.from_edges(edges)
        >>> hierarchy.layers, hierarchy.sizes
        (('features', 'level_2', 'level_1'), (2, 2, 1))
        >>> [(source, target, pairs.tolist()) for source, target, pairs in hierarchy.edges]
        [(0, 1, [[1, 0], [0, 1]]), (1, 2, [[0, 1], [0, 0]])]
        >>> hierarchy.parents("TP53"), hierarchy.children("cell")
        (('death',), ('death', 'repair'))
    """

    @classmethod
    def from_reactome(
        cls,
        annotations: TableLike,
        relations: TableLike,
        *,
        names: TableLike | None = None,
        features: Iterable[str] | None = None,
        species: str | None = "Homo sapiens",
        levels: int | None = 4,
        header: Header = "auto",
        columns: tuple[str, str] | None = None,
        **policies: Unpack[PolicyOptions],
    ) -> Self:
        r"""Compile Reactome's pathways, or any others in the same kinds of files.

        Args:
            annotations: Which features belong to which pathway: a GMT file (name, identifier, genes; or the older
                dialect with the words Reactome Pathway before the genes) or a mapping table (UniProt2Reactome,
                Ensembl2Reactome, or two columns with or without a header).
            relations: Parent and child pathway, one relation per line, with or without a header.
            names: Identifier and name of each pathway (ReactomePathways.txt); every pathway must be in it.
            features: The features wanted, in this order; None takes all.
            species: Name or code (HSA) of the species to keep; None for identifiers that are not Reactome's.
            levels: Number of layers of pathways; None keeps all.
            header: Whether tables begin with the names of their columns; "auto" tells by the first line.
            columns: Names of the columns of `annotations` that hold feature and pathway.
            **policies: See `Policies`.

        Raises:
            InputError: If a file cannot be read, is of another species or collection, or breaks a rule of hierarchies.

        Example:
            >>> mapping = [("P1", "R-HSA-3"), ("P2", "R-HSA-2"), ("P2", "R-HSA-2")]
            >>> relations = [("R-HSA-1", "R-HSA-2"), ("R-HSA-1", "R-HSA-3"), ("R-MMU-1", "R-MMU-2")]
            >>> hierarchy = Hierarchy.from_reactome(mapping, relations, levels=2)
            >>> hierarchy.sizes, hierarchy.report.duplicates
            ((2, 2, 1), 1)
        """
        graph = read_reactome(
            annotations, relations, names=names, features=features, species=species, header=header, columns=columns
        )
        return cls._compiled(graph, levels, policies)

    @classmethod
    def from_gmt(
        cls,
        gene_sets: str | os.PathLike[str],
        *,
        features: Iterable[str] | None = None,
        **policies: Unpack[PolicyOptions],
    ) -> Self:
        r"""Compile a GMT file alone: features and one layer of sets.

        Args:
            gene_sets: File of Reactome's or MSigDB's dialect.
            features: The features wanted, in this order; None takes all.
            **policies: See `Policies`.

        Raises:
            InputError: If the file cannot be read or repeats a set.

        Example:
            >>> import tempfile
            >>> path = Path(tempfile.mkdtemp()) / "sets.gmt"
            >>> _ = path.write_text("REPAIR\thttp://repair\tBRCA1\tTP53\nDEATH\thttp://death\tTP53\n")
            >>> Hierarchy.from_gmt(path).sizes
            (2, 2)
        """
        return cls._from_sets(read_gene_sets(gene_sets), features, policies)

    @classmethod
    def from_signatures(
        cls,
        table: str | os.PathLike[str],
        *,
        features: Iterable[str] | None = None,
        **policies: Unpack[PolicyOptions],
    ) -> Self:
        r"""Compile a table with a set of genes per column: features and one layer of sets.

        Args:
            table: Names of the sets in the first line, their genes below; shorter columns end in empty cells.
            features: The features wanted, in this order; None takes all.
            **policies: See `Policies`.

        Raises:
            InputError: If the file cannot be read, repeats a set or has one without genes.

        Example:
            >>> import tempfile
            >>> path = Path(tempfile.mkdtemp()) / "signatures.csv"
            >>> _ = path.write_text("REPAIR,DEATH\nBRCA1,TP53\nTP53,\n")
            >>> Hierarchy.from_signatures(path).children("REPAIR")
            ('BRCA1', 'TP53')
        """
        return cls._from_sets(read_signatures(table), features, policies)

    @classmethod
    def _from_sets(cls, sets: GeneSets, features: Iterable[str] | None, policies: PolicyOptions) -> Self:
        none = Pairs(sets.source.name, [], [], [])
        graph = build_graph(none, sets.pairs, features, titles=sets.titles, sources=[sets.source])
        return cls._compiled(graph, None, policies)

    @classmethod
    def from_obo(
        cls,
        ontology: str | os.PathLike[str],
        annotations: TableLike,
        *,
        features: Iterable[str] | None = None,
        relationships: Collection[str] = ("is_a", "part_of"),
        namespace: str | None = None,
        levels: int | None = None,
        header: Header = "auto",
        **policies: Unpack[PolicyOptions],
    ) -> Self:
        r"""Compile an ontology in OBO format, such as the Gene Ontology, with a table of genes and their terms.

        Obsolete terms are left out, alternative identifiers of genes' terms are understood.

        Args:
            ontology: The OBO file.
            annotations: Gene and term, in a file, a data frame or rows.
            features: The features wanted, in this order; None takes all.
            relationships: Which relations make a parent.
            namespace: The part of the ontology to keep, such as biological_process; terms, relations and annotations
                of others are left out. None keeps all.
            levels: Number of layers of terms; None keeps all.
            header: Whether the table begins with the names of its columns.
            **policies: See `Policies`.

        Raises:
            InputError: If a parent or an annotated term is not in the ontology, or a rule of hierarchies is broken.

        Example:
            >>> import tempfile
            >>> path = Path(tempfile.mkdtemp()) / "tiny.obo"
            >>> _ = path.write_text("[Term]\nid: GO:1\nname: all\n\n[Term]\nid: GO:2\nis_a: GO:1 ! all\n")
            >>> Hierarchy.from_obo(path, [("TP53", "GO:2")]).nodes
            (('TP53',), ('GO:2',), ('GO:1',))
        """
        graph = read_obo(
            ontology, annotations, features=features, relationships=relationships, namespace=namespace, header=header
        )
        return cls._compiled(graph, levels, policies)

    @classmethod
    def from_edges(
        cls,
        edges: TableLike,
        *,
        features: Iterable[str] | None = None,
        columns: tuple[str, str] | None = None,
        levels: int | None = None,
        header: Header = "auto",
        **policies: Unpack[PolicyOptions],
    ) -> Self:
        """Compile an edge list (parent, child), such as those of knowledge-primed networks; leaves are the features.

        Args:
            edges: Parent and child per row, in a file, a data frame or rows.
            features: The leaves wanted, in this order; None takes all.
            columns: Names of the columns of parent and child, where the header does not say so.
            levels: Number of layers above the features; None keeps all.
            header: Whether the table begins with the names of its columns.
            **policies: See `Policies`.

        Raises:
            InputError: If a feature is a parent, or a rule of hierarchies is broken.

        Example:
            >>> Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1")]).nodes
            (('BRCA1',), ('repair',), ('cell',))
        """
        return cls._compiled(read_edges(edges, features=features, columns=columns, header=header), levels, policies)

    @classmethod
    def from_term_table(
        cls,
        table: TableLike,
        *,
        features: Iterable[str] | None = None,
        levels: int | None = None,
        term_type: str = "default",
        gene_type: str = "gene",
        **policies: Unpack[PolicyOptions],
    ) -> Self:
        """Compile a term table as DrugCell and DCell have: parent, child, and whether the child is a term or a gene.

        Args:
            table: Rows of three cells, without a header.
            features: The genes wanted, in this order; None takes all.
            levels: Number of layers of terms; None keeps all.
            term_type: Third cell of a row that puts a term under a term.
            gene_type: Third cell of a row that gives a gene to a term.
            **policies: See `Policies`.

        Raises:
            InputError: If a row has another type, or a rule of hierarchies is broken.

        Example:
            >>> Hierarchy.from_term_table([("GO:1", "GO:2", "default"), ("GO:2", "TP53", "gene")]).sizes
            (1, 1, 1)
        """
        graph = read_terms(table, features=features, term_type=term_type, gene_type=gene_type)
        return cls._compiled(graph, levels, policies)

    @classmethod
    def from_table(
        cls, table: TableLike, *, features: Iterable[str] | None = None, columns: Sequence[str] | None = None
    ) -> Self:
        """Read layers that a table states: paths, one per row (GenNet's topology.csv), or what `to_table` writes.

        Args:
            table: Columns layer0_name, layer1_name, ... (features first), or the columns named, or those of `to_table`.
            features: The features wanted, in this order; None takes all. Paths only.
            columns: The columns of a table of paths, from the features up.

        Raises:
            InputError: If a cell is empty, no feature is in the table, or the columns cannot be told.

        Example:
            >>> import pandas as pd
            >>> paths = pd.DataFrame({"gene": ["TP53", "BRCA1"], "pathway": ["death", "repair"], "all": ["all", "all"]})
            >>> hierarchy = Hierarchy.from_table(paths, columns=["gene", "pathway", "all"])
            >>> hierarchy.sizes, Hierarchy.from_table(hierarchy.to_table()) == hierarchy
            ((2, 2, 1), True)
        """
        layers, nodes, edges, sources, report = read_layers(table, features=features, columns=columns)
        if report is not None:
            log_report(report)
        return cls(tuple(layers), tuple(map(tuple, nodes)), tuple(edges), sources=sources, report=report)  # type: ignore[arg-type]

    @classmethod
    def _compiled(cls, graph: Graph, levels: int | None, options: PolicyOptions) -> Self:
        compiled = compile_layers(graph, Policies(levels=levels, **options))
        log_report(compiled.report)
        return cls(**vars(compiled))

    def to_table(self) -> "pd.DataFrame":
        """Return nodes and edges by name: source_layer, source, target_layer, target.

        A row without a target names a node, so that the order of layers and nodes, and nodes without edges, survive.

        Example:
            >>> Hierarchy.from_edges([("cell", "TP53")]).to_table().values.tolist()[-1]
            ['features', 'TP53', 'level_1', 'cell']
        """
        import pandas as pd

        rows = [(layer, name, "", "") for layer, names in zip(self.layers, self.nodes, strict=True) for name in names]
        for source, target, index in self.edges:
            low, high = self.nodes[source], self.nodes[target]
            rows += [(self.layers[source], low[a], self.layers[target], high[b]) for a, b in index.T]
        return pd.DataFrame(rows, columns=list(EDGE_COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data, for JSON and checkpoints.

        Example:
            >>> hierarchy = Hierarchy.from_edges([("cell", "TP53")])
            >>> Hierarchy.from_dict(hierarchy.to_dict()) == hierarchy
            True
        """
        return as_plain(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the hierarchy whose `to_dict` is given.

        Raises:
            InputError: If the data are something else.
        """
        return cls(**fields_of(dict(plain)))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a .npz or .json file, without pickle.

        Raises:
            InputError: If the suffix is another.
        """
        return write_plain(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            InputError: If there is no such file or it holds something else.
        """
        return cls.from_dict(read_plain(path))

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies and other processes get arrays that cannot be written to, too.
        return type(self).from_dict, (self.to_dict(),)

    def summary(self) -> HierarchySummary:
        """Return sizes, degrees, density, dead ends, names, policies, report and files; its text is a table.

        Example:
            >>> print(str(Hierarchy.from_edges([("cell", "TP53")]).summary()).splitlines()[0])
            layer     nodes  copies  edges in  density  in mean/max  out mean/max  dead  nodes such as
        """
        return summarize(self)

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"{type(self).__name__}({sizes}, {self.num_edges} edges, {self.fingerprint[:12]})"
