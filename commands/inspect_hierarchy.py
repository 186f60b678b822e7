"""`axonlight inspect hierarchy`: compile a hierarchy from files, print what it is and draw it."""

import argparse
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..plots.hierarchy import draw_hierarchy
from ..structures import Hierarchy, read_names

__all__ = ["compile_hierarchy", "show_hierarchy"]

_POLICIES = ("level_rule", "fill", "attach", "unannotated", "min_size", "max_size", "redundancy", "collapse_chains")
_SUFFIXES = (".png", ".pdf", ".svg")


def show_hierarchy(arguments: argparse.Namespace) -> Path:
    r"""Print the summary of the hierarchy that the arguments describe, and draw it.

    Args:
        arguments: What `axonlight inspect hierarchy` was given.

    Returns:
        The image file.

    Raises:
        InputError: If files or choices cannot be used.

    Example:
        >>> import tempfile
        >>> from axonlight.cli import main
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "edges.csv").write_text("parent,child\ncell,repair\nrepair,TP53\n")
        >>> main(["inspect", "hierarchy", "--edges", str(folder / "edges.csv"), "--output", str(folder / "h.png")])
        layer     nodes ...
        0
    """
    output: Path = arguments.output
    if output.suffix.lower() not in _SUFFIXES:
        raise InputError(f"output is {output}; its suffix must be one of {', '.join(_SUFFIXES)}")
    with _report_printed_once():
        hierarchy = compile_hierarchy(arguments)
    print(hierarchy.summary())
    if arguments.save is not None:
        print(hierarchy.save(arguments.save))
    labels = [[hierarchy.titles.get(name, name) for name in names] for names in hierarchy.nodes]
    sizes = "-".join(map(str, hierarchy.sizes))
    title = f"{sizes}: {hierarchy.num_edges:,} edges, density {hierarchy.density:.2%}"
    return draw_hierarchy(hierarchy.layers, labels, hierarchy.edges, output, title)


def compile_hierarchy(arguments: argparse.Namespace) -> Hierarchy:
    """Return the hierarchy that the arguments of `show_hierarchy` describe.

    Raises:
        InputError: If no file or several kinds of files are given, or one lacks its companion.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "tiny.json"
        >>> _ = Hierarchy.from_edges([("cell", "TP53")]).save(path)
        >>> compile_hierarchy(argparse.Namespace(load=path)).sizes
        (1, 1)
    """
    given = {name: value for name, value in vars(arguments).items() if value is not None and value is not False}
    readers: dict[str, Callable[[dict[str, Any]], Hierarchy]] = {
        "gmt": _from_gmt,
        "mapping": lambda options: _from_reactome(options, "mapping"),
        "obo": _from_obo,
        "edges": lambda options: Hierarchy.from_edges(options["edges"], **_common(options, levels=True)),
        "terms": lambda options: Hierarchy.from_term_table(options["terms"], **_common(options, levels=True)),
        "table": lambda options: Hierarchy.from_table(options["table"], features=_features(options)),
        "load": lambda options: Hierarchy.load(options["load"]),
    }
    chosen = [name for name in readers if name in given]
    if len(chosen) != 1:
        found = " and ".join(f"--{name}" for name in chosen) or "none"
        raise InputError(f"give one of {', '.join(f'--{name}' for name in readers)} (found: {found})")
    return readers[chosen[0]](given)


def _from_gmt(options: dict[str, Any]) -> Hierarchy:
    if "relations" in options:
        return _from_reactome(options, "gmt")
    return Hierarchy.from_gmt(options["gmt"], **_common(options, levels=False))


def _from_reactome(options: dict[str, Any], annotations: str) -> Hierarchy:
    if "relations" not in options:
        raise InputError(f"--{annotations} needs --relations, the file of parent and child pathways")
    species = None if options.get("species") == "any" else options.get("species", "Homo sapiens")
    names = options.get("names")
    common = _common(options, levels=True)
    return Hierarchy.from_reactome(options[annotations], options["relations"], names=names, species=species, **common)


def _from_obo(options: dict[str, Any]) -> Hierarchy:
    if "annotations" not in options:
        raise InputError("--obo needs --annotations, the table of genes and their terms")
    return Hierarchy.from_obo(options["obo"], options["annotations"], **_common(options, levels=True))


def _common(options: dict[str, Any], *, levels: bool) -> dict[str, Any]:
    common = {"features": _features(options), **{name: options[name] for name in _POLICIES if name in options}}
    if levels and "levels" in options:
        common["levels"] = None if options["levels"] == "all" else options["levels"]
    return common


def _features(options: dict[str, Any]) -> list[str] | None:
    return read_names(options["features"]) if "features" in options else None


@contextmanager
def _report_printed_once() -> Iterator[None]:
    """Keep the report off the log, since the summary holds it."""
    logger = logging.getLogger(Hierarchy.__module__.rpartition(".")[0])
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
