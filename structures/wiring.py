"""Wiring lists: rows of where an edge leaves, where it enters, its type and its number of contacts."""

import math
from dataclasses import dataclass

from ..errors import InputError
from .text_table import Header, SourceFile, TableLike, TextTable, read_table, split_header

__all__ = ["Wiring", "read_wiring"]

# Names that columns go by, in the order of `Wiring`.
_COLUMNS = (("pre", "source", "from"), ("post", "target", "to"), ("type",), ("synapses", "weight", "count", "number"))


@dataclass(frozen=True)
class Wiring:
    """Columns of a wiring list."""

    pre: list[str]
    post: list[str]
    types: list[str]
    weights: list[float]
    source: SourceFile


def read_wiring(edges: TableLike, *, columns: tuple[str, str, str, str] | None, header: Header) -> Wiring:
    """Read the list that `Connectome.from_edges` describes."""
    table = split_header(read_table(edges, columns=4), header)
    if not table.rows:
        raise InputError(f"{table.source.name} has a header and no edges; give a list with at least one edge")
    places = _places(table, columns)
    for number, row in enumerate(table.rows):
        if not all(row[place] for place in places):
            raise InputError(f"{table.where(number)} has an empty cell; an edge needs both nodes, a type and a weight")
    pre, post, types, weights = (table.column(place) for place in places)
    _check_types(table, types)
    _check_repeated(table, list(zip(pre, post, types, strict=True)))
    numbers = [_weight(table, row, text) for row, text in enumerate(weights)]
    return Wiring(pre, post, types, numbers, table.source)


def _places(table: TextTable, columns: tuple[str, str, str, str] | None) -> list[int]:
    if table.header is None:
        if len(table.rows[0]) != 4 or columns is not None:
            raise InputError(
                f"{table.source.name} has no header and {len(table.rows[0])} columns; a list without a header has "
                "four: pre, post, type, weight"
            )
        return [0, 1, 3, 2] if _is_number(table.rows[0][2]) else [0, 1, 2, 3]
    names = [name.lower() for name in table.header]
    wanted = [(name.lower(),) for name in columns] if columns else _COLUMNS
    places = [next((names.index(name) for name in choices if name in names), None) for choices in wanted]
    found = [place for place in places if place is not None]
    if len(found) < len(places):
        missing = wanted[places.index(None)]
        raise InputError(
            f"{table.source.name} has no column {' or '.join(missing)}; it has {', '.join(table.header)}: give "
            "columns=(PRE, POST, TYPE, WEIGHT)"
        )
    return found


def _check_types(table: TextTable, types: list[str]) -> None:
    spelled: dict[str, str] = {}
    for row, kind in enumerate(types):
        if spelled.setdefault(kind.lower(), kind) != kind:
            raise InputError(
                f"{table.where(row)} has the type {kind!r} where other lines have {spelled[kind.lower()]!r}; spell it "
                "in one way"
            )


def _check_repeated(table: TextTable, edges: list[tuple[str, str, str]]) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for row, edge in enumerate(edges):
        if edge in seen:
            earlier = table.lines[seen[edge]]
            raise InputError(f"{table.where(row)} repeats line {earlier} ({', '.join(edge)}); take one of them out")
        seen[edge] = row


def _weight(table: TextTable, row: int, text: str) -> float:
    if not _is_number(text) or not 0 < float(text) < math.inf:
        raise InputError(f"{table.where(row)} has the weight {text!r}; it must be a positive number")
    return float(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
