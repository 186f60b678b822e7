"""Reactome's files: relations, names, gene sets and mapping tables, of one species."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import InputError
from .gene_sets import REACTOME_ID, is_gene_sets, read_gene_sets
from .graph import Graph, Pairs, build_graph
from .text_table import Header, SourceFile, TableLike, TextTable, read_table, split_header

__all__ = ["SPECIES", "read_reactome"]

# The code in Reactome's stable identifiers (R-HSA-...) of each of its species.
SPECIES = {
    "BTA": "Bos taurus",
    "CEL": "Caenorhabditis elegans",
    "CFA": "Canis familiaris",
    "DDI": "Dictyostelium discoideum",
    "DME": "Drosophila melanogaster",
    "DRE": "Danio rerio",
    "GGA": "Gallus gallus",
    "HSA": "Homo sapiens",
    "MMU": "Mus musculus",
    "MTU": "Mycobacterium tuberculosis",
    "PFA": "Plasmodium falciparum",
    "RNO": "Rattus norvegicus",
    "SCE": "Saccharomyces cerevisiae",
    "SPO": "Schizosaccharomyces pombe",
    "SSC": "Sus scrofa",
    "XTR": "Xenopus tropicalis",
}


@dataclass(frozen=True)
class _Annotations:
    pairs: Pairs
    titles: dict[str, str]
    source: SourceFile


def read_reactome(
    mapping: TableLike,
    relations: TableLike,
    *,
    names: TableLike | None,
    features: Iterable[str] | None,
    species: str | None,
    header: Header,
    columns: tuple[str, str] | None,
) -> Graph:
    """Read the files that `Hierarchy.from_reactome` describes."""
    code = species_code(species)
    is_data = _is_reactome if code else None
    relation_table = split_header(read_table(relations, columns=2), header, is_data)
    related = _pairs_of(relation_table, _relation_columns(relation_table))
    known = {*related.first, *related.second}
    annotations = _read_annotations(mapping, header, columns, is_data or (lambda row: not known.isdisjoint(row)))
    _check_identifiers(related, code, related.first, related.second)
    _check_identifiers(annotations.pairs, code, annotations.pairs.second)
    ours = f"R-{code}-" if code else ""
    kept = annotations.pairs.only(lambda _, pathway: pathway.startswith(ours))
    related = related.only(lambda parent, child: parent.startswith(ours) or child.startswith(ours))
    _check_species(annotations.pairs.second, kept, annotations.pairs, species)
    _check_species([], related, _pairs_of(relation_table, (0, 1)), species)
    titles, sources = annotations.titles, [annotations.source, relation_table.source]
    if names is not None:
        table = split_header(read_table(names, columns=2), header, _starts_with_reactome if code else None)
        titles = {**titles, **dict(zip(table.column(0), table.column(1), strict=True))}
        sources.append(table.source)
        _check_known(related, kept, frozenset(table.column(0)), table.source.name)
    _check_common(kept, related)
    other = len(annotations.pairs.first) - len(kept.first)
    return build_graph(related, kept, features, titles=titles, sources=sources, rows_elsewhere=other)


def species_code(species: str | None) -> str | None:
    """Return the code of a species given by name or code; None stays None.

    Raises:
        InputError: If Reactome has no such species.
    """
    if species is None or species in SPECIES:
        return species
    codes = {name.lower(): code for code, name in SPECIES.items()}
    if species.lower() not in codes:
        known = ", ".join(f"{name} ({code})" for code, name in SPECIES.items())
        raise InputError(f"species is {species!r}; it must be one of {known}, or None (in a config: any) for your own")
    return codes[species.lower()]


def _is_reactome(row: list[str]) -> bool:
    return any(REACTOME_ID.match(cell) for cell in row)


def _starts_with_reactome(row: list[str]) -> bool:
    return bool(REACTOME_ID.match(row[0]))


def _pairs_of(table: TextTable, places: tuple[int, int]) -> Pairs:
    return Pairs(table.source.name, table.column(places[0]), table.column(places[1]), table.lines)


def _relation_columns(table: TextTable) -> tuple[int, int]:
    names = [name.lower() for name in table.header or []]
    if "parent" in names and "child" in names:
        return names.index("parent"), names.index("child")
    if len(table.rows[0]) != 2:
        raise InputError(
            f"{table.where(0)} has {len(table.rows[0])} cells; a table of relations has two, parent and child, or a "
            "header with these words"
        )
    return 0, 1


def _read_annotations(
    mapping: TableLike, header: Header, columns: tuple[str, str] | None, is_data: Callable[[list[str]], bool]
) -> _Annotations:
    if isinstance(mapping, (str, os.PathLike)) and columns is None and is_gene_sets(mapping):
        sets = read_gene_sets(mapping)
        return _Annotations(sets.pairs, sets.titles, sets.source)
    table = split_header(read_table(mapping, columns=2), header, is_data)
    return _Annotations(_pairs_of(table, _mapping_columns(table, columns)), {}, table.source)


def _mapping_columns(table: TextTable, columns: tuple[str, str] | None) -> tuple[int, int]:
    """Return the places of the feature and of its pathway."""
    if columns is not None:
        missing = [name for name in columns if name not in (table.header or [])]
        if missing:
            has = ", ".join(table.header or []) or "no header"
            raise InputError(f"{table.source.name} has no column {missing[0]!r}; it has {has}")
        return table.header.index(columns[0]), table.header.index(columns[1])  # type: ignore[union-attr]
    # A row's number, written by pandas without a name, is no feature.
    named = [place for place in range(len(table.rows[0])) if table.header is None or table.header[place]]
    identifiers = [place for place in named if REACTOME_ID.match(table.rows[0][place])]
    if len(identifiers) == 1:
        others = [place for place in named if place != identifiers[0]]
        # UniProt2Reactome and its like have no header, the feature first, the pathway, and four columns about it.
        if len(others) == 1 or (others and others[0] == 0 and table.header is None):
            return others[0], identifiers[0]
    elif len(named) == 2:
        return named[0], named[1]
    raise InputError(
        f"{table.source.name} does not say which columns hold features and pathways; give columns=(FEATURE, PATHWAY), "
        f"two of {', '.join(table.header) if table.header else 'its header'}"
    )


def _check_identifiers(pairs: Pairs, code: str | None, *columns: list[str]) -> None:
    if code is None:
        return
    for column in columns:
        for row, name in enumerate(column):
            if not REACTOME_ID.match(name):
                raise InputError(
                    f"{pairs.where(row)} names {name!r}, which is no Reactome identifier like R-{code}-109581; mend "
                    "the line, or give species=None if the identifiers are your own"
                )


def _check_species(identifiers: list[str], kept: Pairs, pairs: Pairs, species: str | None) -> None:
    if kept.first:
        return
    found = Counter(name.split("-")[1] for name in identifiers or pairs.second)
    most, _ = found.most_common(1)[0]
    raise InputError(
        f"{pairs.where(0)} and all other lines are of another species than {species}, most of "
        f"{SPECIES.get(most, most)}; give the file of {species}, or species={SPECIES.get(most, most)!r}"
    )


def _check_known(related: Pairs, kept: Pairs, known: frozenset[str], file: str) -> None:
    for pairs, columns in ((related, (related.first, related.second)), (kept, (kept.second,))):
        for column in columns:
            for row, name in enumerate(column):
                if name not in known:
                    raise InputError(
                        f"{pairs.where(row)} names {name}, which {file} does not know; take all files from one release"
                    )


def _check_common(kept: Pairs, related: Pairs) -> None:
    known = {*related.first, *related.second}
    if known.isdisjoint(kept.second):
        raise InputError(
            f"no pathway of {kept.name} ({kept.second[0]}, ...) is in {related.name} ({related.first[0]}, ...); take "
            "both files from one collection and release"
        )
