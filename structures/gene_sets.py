"""Sets of genes: GMT files (one set per line, Reactome's and MSigDB's dialects) and tables with a set per column."""

import os
import re
from dataclasses import dataclass
from typing import Literal

from ..errors import InputError
from .graph import Pairs
from .text_table import SourceFile, read_table, read_text

__all__ = ["GeneSets", "is_gene_sets", "read_gene_sets", "read_signatures"]

Dialect = Literal["name_id", "name_id_label", "name_description", "columns"]

# Reactome's stable identifiers; the older label stood in every line, before the genes.
REACTOME_ID = re.compile(r"R-([A-Z]{3})-\d+(\.\d+)?$")
_LABEL = "Reactome Pathway"


@dataclass(frozen=True)
class GeneSets:
    """What a file of gene sets holds.

    Args:
        pairs: Gene and set, one row each.
        titles: Readable name of each set, where it differs from its identifier.
        dialect: "name_id" (name, identifier, genes), "name_id_label" (the same with the words Reactome Pathway before
            the genes), "name_description" (MSigDB: name, description, genes) or "columns" (a set per column).
        source: The file.
    """

    pairs: Pairs
    titles: dict[str, str]
    dialect: Dialect
    source: SourceFile


def is_gene_sets(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is named as a GMT file, or looks like one: its lines differ in length and in their names.

    A mapping table with a damaged line has different lengths, too, but its features stand in several lines.
    """
    if str(path).removesuffix(".gz").endswith(".gmt"):
        return True
    rows = [line.split("\t") for line in read_text(path)[0].splitlines() if line.strip()]
    return len(set(map(len, rows))) > 1 and len({row[0] for row in rows}) == len(rows)


def read_gene_sets(path: str | os.PathLike[str]) -> GeneSets:
    """Read a GMT file; which dialect it is, its lines tell.

    Raises:
        InputError: If a line has no genes, repeats a set, or belongs to another dialect than the first line.
    """
    text, source = read_text(path)
    lines = [(number, line.split("\t")) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    dialect = _dialect(source.name, lines)
    first_gene = 3 if dialect == "name_id_label" else 2
    genes: list[str] = []
    sets: list[str] = []
    places: list[int] = []
    seen: dict[str, int] = {}
    titles: dict[str, str] = {}
    for number, cells in lines:
        members = [gene for cell in cells[first_gene:] if (gene := cell.strip())]
        name = cells[0 if dialect == "name_description" else 1].strip()
        if not members or not name:
            raise InputError(
                f"{source.name} line {number} has no {'genes' if name else 'name'}; a line of a GMT file is a name, an "
                "identifier or description, and genes, with tabs between them"
            )
        if name in seen:
            raise InputError(
                f"{source.name} line {number} repeats the set {name} of line {seen[name]}; keep one of them"
            )
        seen[name] = number
        if dialect != "name_description":
            titles[name] = cells[0].strip()
        genes += members
        sets += [name] * len(members)
        places += [number] * len(members)
    return GeneSets(Pairs(source.name, genes, sets, places), titles, dialect, source)


def read_signatures(path: str | os.PathLike[str]) -> GeneSets:
    """Read a table with a set per column: its name in the first line, its genes below, shorter ones filled up.

    Raises:
        InputError: If a column has no name or no genes, or two have the same name.
    """
    table = read_table(path)
    name, header = table.source.name, table.rows[0]
    genes: list[str] = []
    sets: list[str] = []
    places: list[int] = []
    for column, title in enumerate(header):
        members = [
            (line, row[column]) for line, row in zip(table.lines[1:], table.rows[1:], strict=True) if row[column]
        ]
        if not title or not members:
            lacks = "no genes" if title else "no name"
            raise InputError(
                f"{name} column {column + 1} has {lacks}; a column is the name of a set with genes below it"
            )
        if header.index(title) != column:
            raise InputError(
                f"{name} column {column + 1} repeats the set {title} of column {header.index(title) + 1}; keep one"
            )
        places += [line for line, _ in members]
        genes += [gene for _, gene in members]
        sets += [title] * len(members)
    return GeneSets(Pairs(name, genes, sets, places), {}, "columns", table.source)


def _dialect(name: str, lines: list[tuple[int, list[str]]]) -> Dialect:
    kinds: list[Dialect] = [_kind(cells) for _, cells in lines]
    for (number, _), kind in zip(lines, kinds, strict=True):
        if kind != kinds[0]:
            raise InputError(
                f"{name} line {number} is written otherwise than line {lines[0][0]}: {_words(kind)} instead of "
                f"{_words(kinds[0])}; a GMT file keeps to one form"
            )
    return kinds[0]


def _kind(cells: list[str]) -> Dialect:
    if len(cells) < 2 or not REACTOME_ID.match(cells[1].strip()):
        return "name_description"
    return "name_id_label" if len(cells) > 2 and cells[2].strip() == _LABEL else "name_id"


def _words(kind: str) -> str:
    return {
        "name_id": "name, Reactome identifier, genes",
        "name_id_label": f"name, Reactome identifier, '{_LABEL}', genes",
        "name_description": "name, description, genes",
    }[kind]
