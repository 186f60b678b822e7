"""`axonlight inspect hierarchy`: compile a hierarchy from files, print what it is and draw it."""

import argparse
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..plots.hierarchy import draw_hierarchy
from ..structures import Hierarchy, HierarchyFiles, read_hierarchy, read_names

__all__ = ["check_writable", "checked_image", "compile_hierarchy", "report_printed_once", "show_hierarchy"]

# Flag that names a reader's file: the reader, the key of that file, and the file that it needs beside it.
_READERS = {
    "gmt": ("gmt", "path", None),
    "signatures": ("signatures", "path", None),
    "mapping": ("reactome", "annotations", "relations"),
    "obo": ("obo", "path", "annotations"),
    "edges": ("edges", "path", None),
    "terms": ("terms", "path", None),
    "table": ("table", "path", None),
    "load": ("saved", "path", None),
}
_COMPANIONS = {
    "relations": "the file of parent and child pathways",
    "annotations": "the table of genes and their terms",
}
# Flags that are keys of `HierarchyFiles`; those that name the file of a reader have other names.
_KEYS = HierarchyFiles.__annotations__.keys() - {"path"}
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
    output = checked_image(arguments.output)
    with report_printed_once():
        hierarchy = compile_hierarchy(arguments)
    print(hierarchy.summary())
    if arguments.save is not None:
        print(hierarchy.save(arguments.save))
    labels = [[hierarchy.titles.get(name, name) for name in names] for names in hierarchy.nodes]
    sizes = "-".join(map(str, hierarchy.sizes))
    title = f"{sizes}: {hierarchy.num_edges:,} edges, density {hierarchy.density:.2%}"
    return draw_hierarchy(hierarchy.layers, labels, hierarchy.edges, output, title)


def checked_image(output: Path) -> Path:
    """Return the path of an image file.

    Raises:
        InputError: If its suffix is none of an image, or the file cannot be written.
    """
    if output.suffix.lower() not in _SUFFIXES:
        raise InputError(f"output is {output}; its suffix must be one of {', '.join(_SUFFIXES)}")
    check_writable("output", output)
    return output


def check_writable(key: str, path: Path) -> None:
    """Refuse a file that cannot be written, before anything is computed; nothing is made.

    Raises:
        InputError: Naming what is in the way.

    Example:
        >>> check_writable("output", Path("/dev/null/picture.png"))
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: output is /dev/null/picture.png, but /dev/null is a file; name another one
    """
    if path.is_dir():
        raise InputError(f"{key} is {path}, which is a folder; name a file in it")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(path if path.exists() else there, os.W_OK):
        reason = "is a file" if not there.is_dir() else "cannot be written to"
        raise InputError(f"{key} is {path}, but {there} {reason}; name another one")


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
    chosen = [flag for flag in _READERS if flag in given]
    if len(chosen) != 1:
        found = " and ".join(f"--{flag}" for flag in chosen) or "none"
        raise InputError(f"give one of {', '.join(f'--{flag}' for flag in _READERS)} (found: {found})")
    flag = chosen[0]
    reader, file, companion = _READERS[flag]
    if flag == "gmt" and "relations" in given:
        reader, file, companion = _READERS["mapping"]
    if companion and companion not in given:
        raise InputError(f"--{flag} needs --{companion}, {_COMPANIONS[companion]}")
    described = {name: given[name] for name in _KEYS if name in given}
    features = read_names(given["features"]) if "features" in given else None
    return read_hierarchy({"reader": reader, file: given[flag], **described}, features=features)


@contextmanager
def report_printed_once() -> Iterator[None]:
    """Keep the matching report off the log, for a command that prints it or is about something else."""
    logger = logging.getLogger(Hierarchy.__module__.rpartition(".")[0])
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
