"""Formulas that were found, under names, in a file that every network can take them from."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import yaml

from .. import __version__
from ..activations.specs.library import check_library_entry, read_library
from ..comparison.report.files import replace_text
from ..errors import InputError
from .candidate import Candidate

__all__ = ["ActivationLibrary"]

_HEAD = (
    "# Activations by name. With AXONLIGHT_LIBRARY set to the path of this file, or in its folder:\n"
    "#   axonlight fit --config ... --model.network.activation library:{name}\n"
)


class ActivationLibrary(Mapping[str, Mapping[str, Any]]):
    """Formulas by name, each with where it was found: the file activations.yaml.

    An entry is `{formula, constants, normalize, found}`; `found` says engine, seed, data and its hash, metric,
    scores, date and version. `library:NAME` as an activation reads it, as do `build_activation` and the command line.

    Args:
        entries: Entries by name, as `load` returns them.

    Raises:
        InputError: If an entry is no formula with its options.

    Example:
        >>> import os, tempfile
        >>> from axonlight.activations import build_activation
        >>> library = ActivationLibrary()
        >>> library.add("wave", Candidate.from_text("x*cos(a*x)", engine="enumerate", constants={"a": 2.0}))
        >>> path = library.save(os.path.join(tempfile.mkdtemp(), "activations.yaml"))
        >>> os.environ["AXONLIGHT_LIBRARY"] = str(path)
        >>> build_activation("library:wave")
        Formula('x*cos(a*x)', a=2, protect=smooth)
        >>> ActivationLibrary.load(path)["wave"]["found"]["engine"]
        'enumerate'
    """

    def __init__(self, entries: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._entries: dict[str, dict[str, Any]] = {}
        for name, entry in (entries or {}).items():
            self._set(name, entry)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"ActivationLibrary({', '.join(self._entries)})"

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the library of a file.

        Raises:
            InputError: If the file cannot be read, or an entry is refused, naming both.
        """
        if not Path(path).is_file():
            raise InputError(f"library {path} is not a file; axonlight discover writes one, named activations.yaml")
        return cls(read_library(path))

    def add(self, name: str, candidate: Candidate, *, replace: bool = False, **found: Any) -> None:
        """Add a candidate with what it knows of itself.

        Args:
            name: What it is called in `library:NAME`.
            candidate: Formula, constants, engine, seed, hash of the rows, scores; with a normalisation the entry is
                normalised too.
            replace: Whether it may take the place of an entry of that name.
            **found: What else is known: `data`, `metric`, `known_as`, `date` (now unless given), ...

        Raises:
            InputError: If the name is taken or cannot be one, or the candidate is no formula.
        """
        if name in self._entries and not replace:
            raise InputError(f"the library holds {name} already; choose another name, or give replace=True")
        entry: dict[str, Any] = {"formula": candidate.formula}
        if candidate.constants:
            entry["constants"] = dict(candidate.constants)
        if candidate.normalization is not None:
            entry["normalize"] = True
        told = {
            key: getattr(candidate, key)
            for key in ("engine", "seed", "nodes", "original", "data_hash", "scores", "cost")
        }
        stamp = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "version": __version__}
        entry["found"] = {key: value for key, value in {**told, **stamp, **found}.items() if not _is_nothing(value)}
        self._set(name, entry)

    def save(self, path: str | Path) -> Path:
        """Write the file whole, or leave the former one as it was; missing folders are made.

        Returns:
            The path.

        Raises:
            InputError: If the path is a folder.
        """
        path = Path(path)
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file, such as {path / 'activations.yaml'}")
        path.parent.mkdir(parents=True, exist_ok=True)
        first = next(iter(self._entries), "NAME")
        body = (
            yaml.safe_dump(self._entries, sort_keys=False, allow_unicode=True, width=110) if self._entries else "{}\n"
        )
        replace_text(path, _HEAD.format(name=first) + body)
        return path

    def _set(self, name: str, entry: Mapping[str, Any]) -> None:
        if not name or name != name.strip() or not name.isprintable():
            raise InputError(f"the name {name!r} cannot stand in library:NAME; use letters, digits and underscores")
        self._entries[name] = check_library_entry(name, _plain(entry), "library")


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and not value)


def _plain(value: Any) -> Any:
    """Return a value as plain data for YAML; what is not finite is None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):  # a number of NumPy or torch
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
