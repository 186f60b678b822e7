"""Search spaces that were built before, on disk.

A file is named by a hash of everything that decides its content: the settings and the code that counts. It holds
its own checksum; a file that does not fit it is as good as none.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ....activations.formula import operators as grammar_operators
from ....activations.formula import tree as grammar_tree
from .settings import SpaceSettings

__all__ = ["cache_folder", "read", "write"]


def cache_folder() -> Path:
    """Return the folder of the files: `axonlight/formulas` in the user's cache (XDG_CACHE_HOME, or ~/.cache).

    Example:
        >>> from axonlight.discovery.engines.enumeration.cache import cache_folder
        >>> cache_folder().name
        'formulas'
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "axonlight" / "formulas"


@cache
def _code() -> bytes:
    """Return a hash of the source that decides what is counted and how it is written."""
    files = [Path(str(module.__file__)) for module in (grammar_operators, grammar_tree)]
    digest = hashlib.sha256()
    for path in [*files, *(Path(__file__).with_name(f"{name}.py") for name in ("arithmetic", "equality", "space"))]:
        digest.update(path.read_bytes())
    return digest.digest()


def _file(settings: SpaceSettings) -> Path:
    decides = json.dumps([settings.max_nodes, settings.operators, settings.numbers])
    return cache_folder() / f"{hashlib.sha256(_code() + decides.encode()).hexdigest()[:32]}.json"


def _checksum(groups: Sequence[Sequence[str]]) -> str:
    return hashlib.sha256(json.dumps(groups).encode()).hexdigest()


def read(settings: SpaceSettings) -> list[list[str]] | None:
    """Return the formulas by their number of nodes, or None if there is no undamaged file of this space."""
    try:
        held = json.loads(_file(settings).read_bytes())
        groups = held["formulas"]
        return groups if _checksum(groups) == held["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(settings: SpaceSettings, groups: Sequence[Sequence[str]]) -> None:
    """Keep the formulas of a space; a folder that cannot be written to is no failure."""
    path = _file(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as part:
            json.dump({"sha256": _checksum(groups), "formulas": groups}, part)
        Path(part.name).replace(path)  # so that nobody ever reads half a file
    except OSError:
        return
