"""Which entries of an axis a target chooses: by number, by slice, by name, by pattern, by type of cell."""

import difflib
import fnmatch
import re
from collections.abc import Mapping, Sequence

from ...errors import InputError, shown

__all__ = ["AXES", "Choice", "chosen", "may_be_chosen"]

Choice = int | str

# The key of a target for every axis of a site that it can choose from.
AXES = {"units": "unit", "heads": "head", "positions": "position", "queries": "query", "keys": "key"}
_ALONG_POSITIONS = ("position", "query", "key")
# A sequence of exemplar, label, exemplar, label, ..., query.
_NAMED_POSITIONS = {"query": slice(-1, None), "labels": slice(1, None, 2), "exemplars": slice(0, None, 2)}
_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?(?::(-?\d+))?")
_TYPE = "type:"


def chosen(
    key: str,
    choices: Sequence[Choice],
    size: int,
    names: Sequence[str] = (),
    types: Mapping[str, Sequence[int]] | None = None,
) -> list[int]:
    """Return the numbers along an axis that choices mean, each once, in the order of the choices.

    Args:
        key: Key of the target: "units", "heads", "positions", "queries" or "keys".
        choices: Numbers (negative ones count from the end), slices ("1:3"), names and patterns of units, "type:E" for
            cells of a type, and along positions "query" (the last), "labels" (1, 3, ...), "exemplars" (0, 2, ...).
        size: Size of the axis.
        names: Names along the axis.
        types: Numbers of the units of every type of cell.

    Raises:
        InputError: If a number is out of range, a name is unknown, or nothing is chosen.

    Example:
        >>> chosen("positions", ["labels", -1], 5)
        [1, 3, 4]
        >>> chosen("units", ["R-HSA-*"], 3, names=["R-HSA-1", "TP53", "R-HSA-2"])
        [0, 2]
        >>> chosen("heads", [9], 8)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: heads is [9]; the site has 8 heads, 0 to 7
    """
    found: dict[int, None] = {}
    for choice in choices:
        if isinstance(choice, str):
            found.update(dict.fromkeys(_by_text(key, choice, size, names, types)))
        elif -size <= choice < size:
            found[choice % size] = None
        else:
            written = list(choices) if len(choices) <= 8 else choice
            raise InputError(f"{key} is {written}; the site has {size} {key}, 0 to {size - 1}")
    if not found:
        raise InputError(f"{key} is {list(choices)}, which chooses none of the {size} {key} of the site")
    return list(found)


def may_be_chosen(first: Sequence[Choice] | None, second: Sequence[Choice] | None) -> bool | None:
    """Tell whether two choices along an axis of unknown size have an entry in common; None where the size decides.

    Example:
        >>> may_be_chosen([0, 1], [1, 2]), may_be_chosen([0], [1]), may_be_chosen(None, [3]), may_be_chosen([-1], [4])
        (True, False, True, None)
    """
    if first is None or second is None or set(first) & set(second):
        return True
    if all(isinstance(choice, int) and choice >= 0 for choice in (*first, *second)):
        return False
    return None


def _by_text(
    key: str, choice: str, size: int, names: Sequence[str], types: Mapping[str, Sequence[int]] | None
) -> list[int]:
    if choice in names:
        return [number for number, name in enumerate(names) if name == choice]
    if AXES[key] in _ALONG_POSITIONS and choice in _NAMED_POSITIONS:
        return list(range(size))[_NAMED_POSITIONS[choice]]
    if part := _SLICE.fullmatch(choice):
        return list(range(size))[_slice_of(key, choice, part)]
    if key == "units" and choice.startswith(_TYPE):
        return _of_type(choice.removeprefix(_TYPE), size, types)
    return _by_pattern(key, choice, size, names)


def _slice_of(key: str, text: str, part: re.Match[str]) -> slice:
    start, stop, step = (int(number) if number is not None else None for number in part.groups())
    if step == 0:
        raise InputError(f"{key} has {text!r}; the step of a slice must not be 0")
    return slice(start, stop, step)


def _of_type(label: str, size: int, types: Mapping[str, Sequence[int]] | None) -> list[int]:
    if not types:
        raise InputError(
            f"units has 'type:{label}', but nothing says which cells are of which type: give the network or its layer "
            f"an attribute cell_types with one label per unit, or the target a mapping cell_types"
        )
    if label not in types:
        raise InputError(f"units has 'type:{label}'; the types of cells are {', '.join(types)}")
    return chosen("units", list(types[label]), size)


def _by_pattern(key: str, pattern: str, size: int, names: Sequence[str]) -> list[int]:
    found = [number for number, name in enumerate(names) if fnmatch.fnmatchcase(name, pattern)]
    if found:
        return found
    if names:
        near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.3) or list(names)
        raise InputError(f"{key} has {pattern!r}, which the site does not have; the nearest are {shown(near, 3)}")
    known = f"{', '.join(_NAMED_POSITIONS)}, " if AXES[key] in _ALONG_POSITIONS else ""
    raise InputError(f"{key} has {pattern!r}; the site has {size} {key} without names: give {known}numbers or slices")
