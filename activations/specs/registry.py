"""Activations by short name: torch's own, this package's, and every imported subclass of `Activation`."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache

from torch import nn
from torch.nn.modules import activation as torch_activations

from ...errors import InputError
from ..base import Activation

__all__ = ["activation_names", "find_activation"]

_NOT_ACTIVATIONS = {"Module", "MultiheadAttention"}
_OTHER_NAMES = {
    "ashswish": "ASH",
    "gcu": "GrowingCosine",
    "lasilu": "LayerAct",
    "linear": "Identity",
    "pau": "RationalActivation",
    "rational": "RationalActivation",
}


@lru_cache(maxsize=1024)
def _fold(name: str) -> str:
    return "".join(character for character in name.lower() if character not in "_- ")


def _subclasses(parent: type[Activation]) -> Iterator[type[Activation]]:
    for child in parent.__subclasses__():
        yield child
        yield from _subclasses(child)


def _table() -> dict[str, type[nn.Module]]:
    """Return the classes by folded name; those that were defined since the last call are among them."""
    return _table_of(tuple(_subclasses(Activation)))


@lru_cache(maxsize=1)
def _table_of(classes: tuple[type[Activation], ...]) -> dict[str, type[nn.Module]]:
    """Sort classes by folded name; ours come before torch's, torch's before those of the user."""
    package = (__package__ or "").partition(".")[0]
    known = sorted(
        (item for item in classes if not item.__name__.startswith("_")),
        key=lambda item: item.__module__.partition(".")[0] == package,
    )
    theirs = {name: getattr(nn, name) for name in torch_activations.__all__ if name not in _NOT_ACTIVATIONS}
    users = {_fold(item.__name__): item for item in known if item.__module__.partition(".")[0] != package}
    ours = {_fold(item.__name__): item for item in known if item.__module__.partition(".")[0] == package}
    table = {**users, **{_fold(name): item for name, item in theirs.items()}, "identity": nn.Identity, **ours}
    return {
        **table,
        **{other: table[_fold(name)] for other, name in _OTHER_NAMES.items() if _fold(name) in table},
    }


def activation_names() -> list[str]:
    """Return the class names that a spec can name, sorted.

    Example:
        >>> {"ReLU", "Swish"} <= set(activation_names())
        True
    """
    return sorted({item.__name__ for item in _table().values()}, key=str.lower)


def find_activation(name: str) -> type[nn.Module]:
    """Return the class with this short name; case, `_`, `-` and spaces do not matter.

    Raises:
        InputError: If no activation has this name; the nearest names are suggested.

    Example:
        >>> find_activation("leaky_relu").__name__
        'LeakyReLU'
    """
    table = _table()
    folded = _fold(name)
    if folded in table:
        return table[folded]
    near = list(dict.fromkeys(table[key].__name__ for key in get_close_matches(folded, table, n=3, cutoff=0.5)))
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(activation_names())}"
    raise InputError(f"unknown activation {name!r}; {hint}")
