"""Hierarchies as plain data: dictionaries, JSON and npz files that need no pickle."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .layered import EdgeBlock, LayeredGraph
from .policies import Policies
from .report import MatchingReport
from .text_table import SourceFile

__all__ = ["as_plain", "fields_of", "read_plain", "write_plain"]

_FORMAT = "axonlight.hierarchy.1"


def as_plain(hierarchy: LayeredGraph) -> dict[str, Any]:
    """Return all that a hierarchy holds as dictionaries, lists, text and numbers."""
    return {
        "format": _FORMAT,
        "layers": list(hierarchy.layers),
        "nodes": [list(names) for names in hierarchy.nodes],
        "edges": [[source, target, index.tolist()] for source, target, index in hierarchy.edges],
        **_about(hierarchy),
    }


def fields_of(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a hierarchy from its plain data.

    Raises:
        InputError: If the data are something else.
    """
    if plain.get("format") != _FORMAT:
        raise InputError(f"the data are of the format {plain.get('format')!r}; it must be {_FORMAT!r}")
    report, policies = plain["report"], plain["policies"]
    if report is not None:
        names = {key: tuple(report[key]) for key in ("unannotated", "unattached")}
        report = MatchingReport(**{**report, **names})
    return {
        "layers": tuple(plain["layers"]),
        "nodes": tuple(map(tuple, plain["nodes"])),
        "edges": tuple(
            EdgeBlock(source, target, np.array(index, np.int64)) for source, target, index in plain["edges"]
        ),
        "titles": plain["titles"],
        "sources": tuple(SourceFile(**source) for source in plain["sources"]),
        "policies": None if policies is None else Policies(**policies),
        "report": report,
        "notes": tuple(plain["notes"]),
    }


def write_plain(hierarchy: LayeredGraph, path: str | os.PathLike[str]) -> Path:
    """Write a hierarchy to a .json or .npz file.

    Raises:
        InputError: If the suffix is another.
    """
    path = _suffixed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = as_plain(hierarchy)
    if path.suffix == ".json":
        path.write_text(json.dumps(plain, indent=1))
        return path
    arrays: dict[str, np.ndarray] = {f"edges_{source}_{target}": index for source, target, index in hierarchy.edges}
    text = json.dumps({key: value for key, value in plain.items() if key != "edges"})
    arrays["about"] = np.frombuffer(text.encode(), dtype=np.uint8)
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return path


def read_plain(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `write_plain` wrote.

    Raises:
        InputError: If there is no such file or it holds something else.
    """
    path = _suffixed(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; give one that `save` wrote")
    try:
        if path.suffix == ".json":
            return json.loads(path.read_text())
        with np.load(path, allow_pickle=False) as arrays:
            plain = json.loads(arrays["about"].tobytes())
            names = [name.split("_") for name in arrays.files if name != "about"]
            plain["edges"] = [[int(s), int(t), arrays[f"edges_{s}_{t}"]] for _, s, t in names]
            return plain
    except (ValueError, OSError, KeyError) as error:
        raise InputError(f"{path} holds no hierarchy ({error}); give a file that `save` wrote") from error


def _about(hierarchy: LayeredGraph) -> dict[str, Any]:
    return {
        "titles": dict(hierarchy.titles),
        "sources": [asdict(source) for source in hierarchy.sources],
        "policies": None if hierarchy.policies is None else hierarchy.policies.as_dict(),
        "report": None if hierarchy.report is None else hierarchy.report.as_dict(),
        "notes": list(hierarchy.notes),
    }


def _suffixed(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix not in (".json", ".npz"):
        raise InputError(f"the file is {path}; its suffix must be .json or .npz")
    return path
