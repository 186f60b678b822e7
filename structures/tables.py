"""Ontologies as plain tables: edge lists, term tables, and paths, one per row."""

import itertools
import re
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import InputError, shown
from .graph import Graph, IntArray, Pairs, build_graph
from .report import MatchingReport
from .text_table import Header, SourceFile, TableLike, TextTable, read_table, split_header

__all__ = ["EDGE_COLUMNS", "read_edges", "read_layers", "read_terms"]

EDGE_COLUMNS = ("source_layer", "source", "target_layer", "target")

Blocks = list[tuple[int, int, IntArray]]
Content = tuple[list[str], list[list[str]], Blocks, tuple[SourceFile, ...], MatchingReport | None]


def read_edges(
    table: TableLike, *, features: Iterable[str] | None, columns: tuple[str, str] | None, header: Header
) -> Graph:
    """Read the table that `Hierarchy.from_edges` describes."""
    rows = split_header(read_table(table, columns=2), header)
    parent, child = _named_columns(rows, columns)
    pairs = Pairs(rows.source.name, rows.column(parent), rows.column(child), rows.lines)
    parents = set(pairs.first)
    chosen = None if features is None else [str(name) for name in features]
    for name in chosen or ():
        if name in parents:
            row = pairs.first.index(name)
            raise InputError(
                f"{pairs.where(row)} makes the feature {name} a parent; features are nodes without children"
            )
    return _with_leaves(pairs, chosen, rows.source)


def read_terms(table: TableLike, *, features: Iterable[str] | None, term_type: str, gene_type: str) -> Graph:
    """Read the table that `Hierarchy.from_term_table` describes."""
    rows = read_table(table, columns=3)
    if len(rows.rows[0]) != 3:
        raise InputError(f"{rows.where(0)} has {len(rows.rows[0])} cells; a term table has three: parent, child, type")
    for number, (_, _, kind) in enumerate(rows.rows):
        if kind not in (term_type, gene_type):
            raise InputError(
                f"{rows.where(number)} has the type {kind!r}; it must be {term_type!r} (a term under a term) or "
                f"{gene_type!r} (a gene of a term)"
            )
    lines = {kind: [place for place, row in enumerate(rows.rows) if row[2] == kind] for kind in (term_type, gene_type)}
    if not lines[gene_type]:
        raise InputError(f"{rows.source.name} has no line of the type {gene_type!r}, so no gene belongs to any term")
    terms, genes = (_chosen(rows, lines[kind]) for kind in (term_type, gene_type))
    known = {*terms.first, *terms.second}
    for row, (term, gene) in enumerate(zip(genes.first, genes.second, strict=True)):
        if known and term not in known:
            raise InputError(f"{genes.where(row)} gives the gene {gene} to {term}, which no {term_type!r} line names")
        if gene in known:
            raise InputError(f"{genes.where(row)} calls {gene} a gene, and other lines call it a term; rename one")
    swapped = Pairs(genes.name, genes.second, genes.first, genes.lines)
    return build_graph(terms, swapped, features, sources=(rows.source,))


def read_layers(table: TableLike, *, features: Iterable[str] | None, columns: Sequence[str] | None) -> Content:
    """Read the table that `Hierarchy.from_table` describes: layers, nodes, edge blocks, source and report."""
    rows = split_header(read_table(table), True)
    wanted = None if features is None else [str(name) for name in features]
    header = rows.header or []
    if columns is None and set(EDGE_COLUMNS) <= set(header):
        return _edge_rows(rows, [header.index(name) for name in EDGE_COLUMNS])
    places = [header.index(name) for name in _path_columns(rows, header, columns)]
    for number, row in enumerate(rows.rows):
        if not all(row[place] for place in places):
            raise InputError(
                f"{rows.where(number)} has an empty cell; a row is one whole path from a feature to the top"
            )
    report = None
    chosen = rows.rows
    if wanted is not None:
        chosen, report = _matching_paths(rows, places[0], wanted)
    # Sorted, so that the order of lines does not matter; features in the order wanted.
    nodes = [sorted({row[place] for row in chosen}) for place in places]
    if wanted is not None:
        present = set(nodes[0])
        nodes[0] = [name for name in wanted if name in present]
    numbers = [{name: number for number, name in enumerate(names)} for names in nodes]
    blocks: Blocks = []
    for layer, (low, high) in enumerate(itertools.pairwise(places)):
        pairs = sorted({(numbers[layer][row[low]], numbers[layer + 1][row[high]]) for row in chosen})
        blocks.append((layer, layer + 1, np.array(pairs, dtype=np.int64).T))
    return [header[place] for place in places], nodes, blocks, (rows.source,), report


def _named_columns(rows: TextTable, columns: tuple[str, str] | None) -> tuple[int, int]:
    header = rows.header
    if columns is not None or (header is not None and len(header) != 2):
        wanted = columns or ("parent", "child")
        names = [name.lower() for name in header or []]
        for name in wanted:
            if name.lower() not in names:
                has = f"it has {', '.join(header)}" if header else "it has no header"
                raise InputError(f"{rows.source.name} has no column {name!r}; {has}; give columns=(PARENT, CHILD)")
        return names.index(wanted[0].lower()), names.index(wanted[1].lower())
    if header is not None and [name.lower() for name in header] == ["child", "parent"]:
        return 1, 0
    if len(rows.rows[0]) != 2:
        raise InputError(f"{rows.where(0)} has {len(rows.rows[0])} cells; an edge list has two, parent and child")
    return 0, 1


def _with_leaves(pairs: Pairs, features: list[str] | None, source: SourceFile) -> Graph:
    """Take nodes without children for features, and their edges for annotations."""
    parents = set(pairs.first)
    related = pairs.only(lambda _, child: child in parents)
    leaves = pairs.only(lambda _, child: child not in parents)
    swapped = Pairs(leaves.name, leaves.second, leaves.first, leaves.lines)
    if not leaves.first:
        # Every node has a child, so there is a cycle, which the check of relations names.
        return build_graph(related, swapped, None, sources=(source,))
    _check_repeated(leaves)
    return build_graph(related, swapped, features, sources=(source,))


def _check_repeated(pairs: Pairs) -> None:
    seen: dict[tuple[str, str], int] = {}
    for row, pair in enumerate(zip(pairs.first, pairs.second, strict=True)):
        if pair in seen:
            earlier = pairs.lines[seen[pair]]
            raise InputError(f"{pairs.where(row)} repeats line {earlier} ({', '.join(pair)}); take one of them out")
        seen[pair] = row


def _chosen(rows: TextTable, places: list[int]) -> Pairs:
    first, second = ([rows.rows[place][column] for place in places] for column in (0, 1))
    return Pairs(rows.source.name, first, second, [rows.lines[place] for place in places])


def _path_columns(rows: TextTable, header: list[str], columns: Sequence[str] | None) -> list[str]:
    """Return the columns of the layers, features first: those named, else layer0_name, layer1_name, ..."""
    if columns is not None:
        missing = [name for name in columns if name not in header]
        if missing or len(columns) < 2:
            raise InputError(f"columns is {list(columns)}; give two or more of {', '.join(header)}")
        return list(columns)
    found = {int(match[1]): name for name in header if (match := re.fullmatch(r"layer(\d+)_name", name))}
    if sorted(found) != list(range(len(found))) or len(found) < 2:
        raise InputError(
            f"{rows.source.name} has the columns {shown(header)}; a table of paths has layer0_name, layer1_name, ... "
            "(features first), or give columns=[...] from the features up"
        )
    return [found[layer] for layer in range(len(found))]


def _matching_paths(rows: TextTable, place: int, features: list[str]) -> tuple[list[list[str]], MatchingReport]:
    known = set(features)
    chosen = [row for row in rows.rows if row[place] in known]
    if not chosen:
        raise InputError(
            f"none of the {len(features):,} features ({shown(features, 3)}) is in {rows.source.name}, whose features "
            f"are named like {shown(rows.column(place), 3)}; give features under the same kind of name"
        )
    found = {row[place] for row in chosen}
    missing = tuple(name for name in features if name not in found)
    distinct = len({tuple(row) for row in chosen})
    return chosen, MatchingReport(len(features), len(found), len(found), missing, rows=len(chosen), pairs=distinct)


def _edge_rows(rows: TextTable, places: list[int]) -> Content:
    """Read what `Hierarchy.to_table` writes: an edge per row, and a row without a target for a node without one."""
    nodes: dict[str, dict[str, int]] = {}
    edges: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for number, row in enumerate(rows.rows):
        low, source, high, target = (row[place] for place in places)
        if not low or not source or bool(high) != bool(target):
            raise InputError(f"{rows.where(number)} has an empty cell; only both cells of the target may be empty")
        start = nodes.setdefault(low, {}).setdefault(source, len(nodes[low]))
        if high:
            end = nodes.setdefault(high, {}).setdefault(target, len(nodes[high]))
            edges.setdefault((low, high), []).append((start, end))
    order = list(nodes)
    blocks = [(order.index(a), order.index(b), np.array(pairs, dtype=np.int64).T) for (a, b), pairs in edges.items()]
    return order, [list(names) for names in nodes.values()], blocks, (rows.source,), None
