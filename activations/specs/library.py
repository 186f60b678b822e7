"""Formulas under a name of one's own: `library:NAME` looks into the file activations.yaml."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError

__all__ = ["read_library_entry"]

_VARIABLE = "AXONLIGHT_LIBRARY"
_FILE = "activations.yaml"


def read_library_entry(name: str) -> dict[str, Any]:
    """Return the formula mapping that the library file holds under a name.

    The file is the one that the environment variable AXONLIGHT_LIBRARY names, else activations.yaml in the
    working directory. It maps names to `{formula: text, constants: {...}}`.

    Raises:
        InputError: If there is no file, it cannot be read, or it does not hold the name.

    Example:
        >>> read_library_entry("wave")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: library:wave needs a file activations.yaml ...
    """
    path = Path(os.environ.get(_VARIABLE) or _FILE)
    if not path.is_file():
        if os.environ.get(_VARIABLE):
            raise InputError(f"library:{name} needs the file {path}, named by {_VARIABLE}, which does not exist")
        raise InputError(f"library:{name} needs a file {_FILE} in the working directory or one named by {_VARIABLE}")
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(entries, Mapping):
        raise InputError(f"{path} must map names to formulas")
    if name not in entries:
        near = get_close_matches(name, map(str, entries), n=1)
        hint = f"did you mean {near[0]}?" if near else f"it holds {', '.join(map(str, entries)) or 'nothing'}"
        raise InputError(f"library:{name} is not in {path}; {hint}")
    entry = entries[name]
    if not isinstance(entry, Mapping) or "formula" not in entry:
        raise InputError(f"{path} holds {entry!r} under {name}; it must be a mapping with the key formula")
    return dict(entry)
