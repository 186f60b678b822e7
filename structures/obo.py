"""Ontologies in OBO format, such as the Gene Ontology, with a table of annotated genes.

Format: the OBO Flat File Format 1.4 specification, of which terms, `is_a` and `relationship` are read.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from ..errors import InputError
from .graph import Graph, Pairs, build_graph, nearest
from .text_table import Header, SourceFile, TableLike, TextTable, read_table, read_text, split_header

__all__ = ["read_obo"]


@dataclass
class _Term:
    line: int
    name: str = ""
    namespace: str = ""
    obsolete: bool = False
    parents: dict[tuple[str, str], int] = field(default_factory=dict)
    other_names: list[str] = field(default_factory=list)


def read_obo(
    obo: str | os.PathLike[str],
    annotations: TableLike,
    *,
    features: Iterable[str] | None,
    relationships: Collection[str],
    namespace: str | None,
    header: Header,
) -> Graph:
    """Read the files that `Hierarchy.from_obo` describes."""
    text, source = read_text(obo)
    terms, default = _terms(text, source, relationships)
    kept = {name: term for name, term in terms.items() if not term.obsolete}
    if namespace is not None:
        spaces = sorted({term.namespace or default for term in kept.values()})
        kept = {name: term for name, term in kept.items() if (term.namespace or default) == namespace}
        if not kept:
            raise InputError(f"{source.name} has no term of the namespace {namespace!r}; it has {', '.join(spaces)}")
    relations = _relations(kept, terms, source)
    primary = {other: name for name, term in terms.items() for other in term.other_names}
    table = split_header(
        read_table(annotations, columns=2), header, lambda row: any(c in terms or c in primary for c in row)
    )
    gene, term = _columns(table, {*terms, *primary})
    pairs = Pairs(table.source.name, table.column(gene), table.column(term), table.lines)
    pairs = _with_primary_names(pairs, terms, primary)
    inside = pairs.only(lambda _, name: name in kept)
    if not inside.first:
        raise InputError(f"no term of {pairs.name} is of the namespace {namespace!r}; give another namespace, or None")
    titles = {name: term.name for name, term in kept.items() if term.name}
    elsewhere = len(pairs.first) - len(inside.first)
    sources = (source, table.source)
    return build_graph(relations, inside, features, titles=titles, sources=sources, rows_elsewhere=elsewhere)


def _terms(text: str, source: SourceFile, relationships: Collection[str]) -> tuple[dict[str, _Term], str]:
    """Return every term by its identifier, and the default namespace."""
    terms: dict[str, _Term] = {}
    term: _Term | None = None
    stanza, default = "", ""
    for number, line in _meaningful_lines(text):
        if line.startswith("["):
            stanza, term = line, None
            continue
        where = f"{source.name} line {number}"
        tag, value = _split_tag(line, where)
        if not stanza and tag == "default-namespace":
            default = value
        elif stanza == "[Term]" and tag == "id":
            if value in terms:
                raise InputError(f"{where} repeats the term {value} of line {terms[value].line}; keep one of them")
            term = terms[value] = _Term(number)
        elif stanza == "[Term]":
            if term is None:
                raise InputError(f"{where} stands in a term before its id; put the id first")
            _read_tag(term, tag, value, where, number, relationships)
    if not terms:
        raise InputError(f"{source.name} holds no [Term]; give an ontology in OBO format")
    return terms, default


def _meaningful_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield every line that is neither empty nor a comment, with its number."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("!"):
            yield number, line.strip()


def _split_tag(line: str, where: str) -> tuple[str, str]:
    """Return tag and value, without the comment behind the value."""
    tag, colon, value = line.partition(":")
    if not colon:
        raise InputError(f"{where} is neither a tag with a value nor a stanza ({line[:40]}); mend it")
    return tag, value.split(" ! ")[0].strip()


def _read_tag(term: _Term, tag: str, value: str, where: str, number: int, relationships: Collection[str]) -> None:
    # Qualifiers in braces may follow a value.
    words = value.split("{")[0].split()
    words = ["is_a", *words] if tag == "is_a" else words
    if tag in ("name", "namespace"):
        setattr(term, tag, value)
    elif tag == "is_obsolete":
        term.obsolete = value.startswith("true")
    elif tag == "alt_id":
        term.other_names.append(value)
    elif tag in ("is_a", "relationship"):
        if len(words) != 2:
            raise InputError(f"{where} gives {tag} {value!r}; it must name one term")
        kind, parent = words
        if (kind, parent) in term.parents:
            raise InputError(
                f"{where} repeats line {term.parents[kind, parent]} ({kind} {parent}); take one of them out"
            )
        if kind in relationships:
            term.parents[kind, parent] = number


def _relations(kept: dict[str, _Term], terms: dict[str, _Term], source: SourceFile) -> Pairs:
    parents, children, lines = [], [], []
    for name, term in kept.items():
        # A term may be both a kind and a part of another: one edge.
        for parent, line in {parent: line for (_, parent), line in term.parents.items()}.items():
            if parent not in terms:
                raise InputError(
                    f"{source.name} line {line} makes {parent} a parent of {name}, but no term has that id"
                    f"{nearest(parent, terms)}; mend the line or add the term"
                )
            if parent in kept:
                parents.append(parent)
                children.append(name)
                lines.append(line)
    if not parents:
        raise InputError(f"{source.name} has no relation between its terms; widen relationships or the namespace")
    return Pairs(source.name, parents, children, lines)


def _columns(table: TextTable, terms: Collection[str]) -> tuple[int, int]:
    """Return the places of the gene and of its term."""
    row = table.rows[0]
    named = [place for place in range(len(row)) if table.header is None or table.header[place]]
    known = [place for place in named if row[place] in terms]
    others = [place for place in named if place not in known]
    if len(known) != 1 or not others:
        shown = ", ".join(row[:4])
        raise InputError(f"{table.where(0)} ({shown}) holds no gene beside one term of the ontology; mend that line")
    return others[0], known[0]


def _with_primary_names(pairs: Pairs, terms: dict[str, _Term], primary: dict[str, str]) -> Pairs:
    """Use primary identifiers; refuse unknown and obsolete ones."""
    names = [primary.get(name, name) if name not in terms else name for name in pairs.second]
    for row, name in enumerate(names):
        if name not in terms:
            raise InputError(f"{pairs.where(row)} names {name}, which is no term of the ontology{nearest(name, terms)}")
        if terms[name].obsolete:
            raise InputError(f"{pairs.where(row)} names {name}, which is obsolete; take both files from one release")
    return Pairs(pairs.name, pairs.first, names, pairs.lines)
