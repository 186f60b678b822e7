"""A hierarchy described by plain data, as a config holds it: which reader, which files, which choices."""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import InputError
from .hierarchy import Hierarchy
from .policies import PolicyOptions
from .text_table import Header

__all__ = ["HierarchyFiles", "HierarchyReader", "read_hierarchy"]

HierarchyReader = Literal["reactome", "gmt", "signatures", "obo", "edges", "terms", "table", "saved"]

_POLICIES = tuple(PolicyOptions.__annotations__)
_FILES = ("path", "annotations", "relations", "names")


class HierarchyFiles(PolicyOptions, total=False):
    """What `read_hierarchy` takes: a reader, its files and its choices, all of it plain data.

    Args:
        reader: "reactome" (`annotations`, `relations`, `names`), "obo" (`path`, `annotations`), "gmt", "signatures",
            "edges", "terms", "table" (`path`): see the reader of that name in `Hierarchy`; or "saved": what `save`
            wrote.
        path: The file of readers that need one alone, and the ontology of "obo".
        annotations: Which features belong to which node.
        relations: Parent and child per row.
        names: Identifier and name of every pathway.
        species: Species to keep; "any" or None for identifiers that are not Reactome's.
        levels: Number of layers above the features; "all" or None keeps all.
        header: Whether tables begin with the names of their columns.
        columns: Names of the columns that are read.
        relationships: Which relations of an ontology make a parent.
        namespace: Part of an ontology to keep.

    The other keys are those of `Policies`; every key may be left out here, and is asked for when it is needed.

    Example:
        >>> HierarchyFiles(reader="edges", path="edges.csv", levels=4)
        {'reader': 'edges', 'path': 'edges.csv', 'levels': 4}
    """

    reader: HierarchyReader
    path: str
    annotations: str
    relations: str
    names: str | None
    species: str | None
    levels: int | Literal["all"] | None
    header: Header
    columns: list[str]
    relationships: list[str]
    namespace: str | None


@dataclass(frozen=True)
class _Reader:
    """A way to read: the files that it must have, in order, and the other keys that it takes."""

    read: Callable[..., Hierarchy]
    files: tuple[str, ...]
    options: tuple[str, ...]


_READERS: dict[str, _Reader] = {
    "reactome": _Reader(
        Hierarchy.from_reactome,
        ("annotations", "relations"),
        ("names", "species", "levels", "header", "columns", *_POLICIES),
    ),
    "gmt": _Reader(Hierarchy.from_gmt, ("path",), _POLICIES),
    "signatures": _Reader(Hierarchy.from_signatures, ("path",), _POLICIES),
    "obo": _Reader(
        Hierarchy.from_obo,
        ("path", "annotations"),
        ("relationships", "namespace", "levels", "header", *_POLICIES),
    ),
    "edges": _Reader(Hierarchy.from_edges, ("path",), ("columns", "levels", "header", *_POLICIES)),
    "terms": _Reader(Hierarchy.from_term_table, ("path",), ("levels", *_POLICIES)),
    "table": _Reader(Hierarchy.from_table, ("path",), ("columns",)),
    "saved": _Reader(lambda path, features: Hierarchy.load(path), ("path",), ()),
}


def read_hierarchy(
    files: HierarchyFiles | Mapping[str, Any],
    *,
    features: Iterable[str] | None = None,
    folders: Sequence[str | os.PathLike[str]] = (),
) -> Hierarchy:
    r"""Return the hierarchy that plain data describe.

    Args:
        files: Reader, files and choices; see `HierarchyFiles`.
        features: The features wanted, in this order; None takes all. One that was saved keeps the features it has.
        folders: Where relative names of files are looked for, before the working directory.

    Raises:
        InputError: If a key is missing, or unknown to the reader; if a file is not found; if the reader refuses it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "edges.csv").write_text("parent,child\ncell,repair\nrepair,TP53\n")
        >>> read_hierarchy({"reader": "edges", "path": "edges.csv"}, folders=[folder]).sizes
        (1, 1, 1)
        >>> read_hierarchy({"reader": "gmt"})
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: hierarchy has no key 'path', the name of a file that the reader gmt needs
    """
    given: dict[str, Any] = {key: value for key, value in files.items() if not (key in _FILES and value is None)}
    reader = _reader_of(given)
    _check_keys(given, reader)
    paths = [_found(key, given[key], folders) for key in reader.files]
    options = {key: _plain_none(key, value) for key, value in given.items() if key in reader.options}
    if "names" in options:
        options["names"] = _found("names", options["names"], folders)
    if "columns" in options:
        options["columns"] = tuple(options["columns"])
    return reader.read(*paths, features=features, **options)


def _reader_of(given: Mapping[str, Any]) -> _Reader:
    known = ", ".join(get_args(HierarchyReader))
    if "reader" not in given:
        raise InputError(f"hierarchy has no key 'reader'; it must be one of {known}")
    name = given["reader"]
    if name not in _READERS:
        raise InputError(f"hierarchy.reader is {name!r}; it must be one of {known}{_nearest(str(name), _READERS)}")
    return _READERS[name]


def _check_keys(given: Mapping[str, Any], reader: _Reader) -> None:
    name = given["reader"]
    known = (*reader.files, *reader.options)
    for key in given:
        if key != "reader" and key not in known:
            hint = _nearest(str(key), known) or f"; it takes {', '.join(known)}"
            raise InputError(f"hierarchy has the key '{key}', which the reader {name} does not take{hint}")
    missing = [key for key in reader.files if key not in given]
    if missing:
        raise InputError(f"hierarchy has no key '{missing[0]}', the name of a file that the reader {name} needs")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f"; did you mean '{near[0]}'?" if near else ""


def _plain_none(key: str, value: Any) -> Any:
    """Return None for the words that stand for it, as a flag on the command line cannot hold None."""
    return None if (key, value) in (("levels", "all"), ("species", "any")) else value


def _found(key: str, name: str | os.PathLike[str], folders: Sequence[str | os.PathLike[str]]) -> Path:
    """Return the file of that name in the first folder that has it, or in the working directory."""
    path = Path(name).expanduser()
    candidates = dict.fromkeys([*(Path(folder) / path for folder in folders), path])
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        places = [str(folder) for folder in dict.fromkeys(map(Path, folders))]
        where = "" if path.is_absolute() else f" in {', '.join([*places, 'the working directory'])}"
        raise InputError(f"there is no file {path}{where}; hierarchy.{key} must name an existing one")
    return found
