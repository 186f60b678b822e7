"""Formulas under a name of one's own: `library:NAME` looks into the file activations.yaml.

Such a file passes from hand to hand, so nothing of it is trusted: it is read as plain data, no formula is ever run
as code, and whatever does not fit is refused with the name of the file and of the entry.
"""

import os
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError, shown
from ..formula import Formula
from .arguments import parameters_of

__all__ = ["LIBRARY_FILE", "check_library_entry", "read_library", "read_library_entry"]

LIBRARY_FILE = "activations.yaml"
_VARIABLE = "AXONLIGHT_LIBRARY"
# What an entry may say beside the formula and its options: where it was found, and words for readers.
_NOTES = ("found", "note")
# Thousands of formulas with all that is known of them fit; a file meant to exhaust memory does not.
_MOST_BYTES = 32 * 1024**2
_MOST_VALUES = 1_000_000


def read_library_entry(name: str) -> dict[str, Any]:
    """Return the formula mapping that the library file holds under a name, without the notes.

    The file is the one that the environment variable AXONLIGHT_LIBRARY names, else activations.yaml in the
    working directory. It maps names to `{formula: text, constants: {...}}`; see `check_library_entry`.

    Raises:
        InputError: If there is no file, it cannot be read, or it does not hold the name.

    Example:
        >>> read_library_entry("wave")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: library:wave needs a file activations.yaml ...
    """
    path = Path(os.environ.get(_VARIABLE) or LIBRARY_FILE)
    if not path.is_file():
        if os.environ.get(_VARIABLE):
            raise InputError(f"library:{name} needs the file {path}, named by {_VARIABLE}, which does not exist")
        raise InputError(
            f"library:{name} needs a file {LIBRARY_FILE} in the working directory or one named by {_VARIABLE}"
        )
    entries = _entries(path)
    if name not in entries:
        near = get_close_matches(name, entries, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it holds {shown(list(entries), 12) or 'nothing'}"
        raise InputError(f"library:{name} is not in {path}; {hint}")
    entry = check_library_entry(name, entries[name], path)
    return {key: value for key, value in entry.items() if key not in _NOTES}


def read_library(path: str | Path) -> dict[str, dict[str, Any]]:
    r"""Return all entries of a library file, each checked.

    Raises:
        InputError: If the file cannot be read, or an entry is refused, naming both.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "activations.yaml"
        >>> _ = path.write_text("wave: {formula: x*cos(x), found: {engine: enumerate}}\nbent: {formula: x.real}\n")
        >>> read_library(path)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: ...activations.yaml: entry bent: formula 'x.real': 'x.real' takes an attribute...
    """
    path = Path(path)
    return {name: check_library_entry(name, entry, path) for name, entry in _entries(path).items()}


def check_library_entry(name: str, entry: Any, path: str | Path) -> dict[str, Any]:
    """Return an entry if it is a formula with options of `Formula`, numbers for constants, and notes.

    Args:
        name: Its name.
        entry: What the file holds under it: `formula`; options of `Formula` such as `normalize`; constants by name,
            beside the formula or under `constants`; `found`, a mapping that says where it came from; `note`.
        path: The file, for messages.

    Raises:
        InputError: Naming file and entry.

    Example:
        >>> check_library_entry("wave", {"formula": "x*cos(x)", "normalise": True}, "activations.yaml")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: activations.yaml: entry wave: unknown key 'normalise'; did you mean 'normalize'?
    """
    where = f"{path}: entry {name[:60]}"
    if not isinstance(entry, Mapping) or "formula" not in entry:
        raise InputError(f"{where} is {_brief(entry)}; it must be a mapping with the key formula")
    if not isinstance(entry["formula"], str):
        raise InputError(f"{where}: formula is {_brief(entry['formula'])}; it must be text")
    if not isinstance(entry.get("found", {}), Mapping):
        raise InputError(f"{where}: found is {_brief(entry['found'])}; it must be a mapping")
    try:
        _build(entry)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"{where} cannot be used: {str(error).partition(chr(10))[0]}") from error
    return dict(entry)


def _build(entry: Mapping[Any, Any]) -> None:
    """Build the formula once, which checks its text, its options and its constants."""
    known = [name for name in parameters_of(Formula) if name != "text"]
    options = {key: value for key, value in entry.items() if key in known}
    given = options.pop("constants", None)
    if not isinstance(given, (Mapping, type(None))):
        raise InputError(f"constants is {_brief(given)}; it must be a mapping of names to numbers")
    constants = dict(given or {})
    for key, value in entry.items():
        if key == "formula" or key in known or key in _NOTES:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            near = get_close_matches(str(key), [*known, *_NOTES], n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are formula, {', '.join([*known, *_NOTES])}"
            raise InputError(f"unknown key {_brief(key)}; {hint}")
        constants[key] = value
    Formula(entry["formula"], constants=constants, **_sizes(constants.values(), options), **options)


def _sizes(constants: Collection[Any], options: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of values per constant where an entry gives one per unit; refuse one that exhausts memory."""
    number = options.get("num_parameters", 1)
    if isinstance(number, int) and number > _MOST_VALUES:
        raise InputError(f"num_parameters is {number:,}; a library holds at most {_MOST_VALUES:,} values per constant")
    lengths = {len(value) for value in constants if isinstance(value, list)}
    return {"num_parameters": max(lengths)} if lengths and not {"num_parameters", "groups"} & set(options) else {}


def _entries(path: Path) -> dict[str, Any]:
    """Return what the file maps names to."""
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InputError(f"{path} has {size:,} bytes; a library of formulas has at most {_MOST_BYTES:,}")
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, a date or a number that cannot be
        raise InputError(f"{path} is not readable as YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise InputError(f"{path} is not readable as YAML: its brackets are nested too deep") from error
    if not isinstance(entries, Mapping):
        raise InputError(f"{path} must map names to formulas")
    return {str(name): entry for name, entry in entries.items()}


def _brief(value: Any) -> str:
    """Show a value in few letters; never the inside of a list, which aliases of YAML can make endless."""
    return f"a {type(value).__name__}" if isinstance(value, (Mapping, list)) else repr(value)[:60]
