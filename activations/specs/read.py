"""Specs: every way to name an activation, read into one form.

A spec is text (`relu`, `swish(beta=1.5)`, `formula(x*cos(a*x), a=1.0)`, `library:NAME`), a mapping
(`{class_path: ..., init_args: ...}`, `{formula: ..., constants: ...}`), a class of modules, or a factory that
returns a fresh module at each call, as the command line makes them. Text is never evaluated.
"""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ...errors import InputError
from .arguments import check_arguments, name_arguments, parameters_of
from .imports import allow_imports, allowed_import, import_activation
from .library import read_library_entry
from .registry import find_activation
from .text import SpecText, read_literal

__all__ = ["ActivationRequest", "allow_imports", "allowed_import", "read_spec"]

_LIBRARY, _FORMULA = "library:", "formula:"


@dataclass(frozen=True)
class ActivationRequest:
    """What a spec asks for.

    Attributes:
        factory: Class of modules, or a function that makes them.
        arguments: Keyword arguments that the spec itself gives.
        source: The spec as plain data (text or mapping), for logs and reports.

    Example:
        >>> request = read_spec("leaky_relu(0.2)")
        >>> request.factory.__name__, request.arguments
        ('LeakyReLU', {'negative_slope': 0.2})
    """

    factory: Callable[..., Any]
    arguments: dict[str, Any]
    source: str | dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the class or function, for messages."""
        return getattr(self.factory, "__name__", repr(self.factory))


def read_spec(spec: Any) -> ActivationRequest:
    """Read a spec of any form.

    Raises:
        InputError: If the spec names no activation, an argument does not fit it, or the spec is a module, a
            list or something else.

    Example:
        >>> read_spec({"class_path": "torch.nn.ELU", "init_args": {"alpha": 2.0}}).arguments
        {'alpha': 2.0}
    """
    if isinstance(spec, nn.Module):
        raise InputError(
            f"the activation is given as a {type(spec).__name__} module, which several layers would share; "
            "give its name, its class or a factory, so that each layer gets its own"
        )
    if isinstance(spec, str):
        return _from_text(spec)
    if isinstance(spec, Mapping):
        return _from_mapping(spec)
    if isinstance(spec, functools.partial):
        return _from_partial(spec)
    if isinstance(spec, type) and issubclass(spec, nn.Module):
        return _request(spec, {}, {"class_path": _path(spec)})
    if callable(spec) and not isinstance(spec, type):
        return ActivationRequest(spec, {}, f"{_path(spec)}()")
    if isinstance(spec, Sequence):
        raise InputError("the activation is a list of specs; a list holds one spec per layer, this place takes one")
    raise InputError(f"the activation is {spec!r}; it must be a name, a mapping, a class of modules or a factory")


def _request(
    activation: type[nn.Module], arguments: Mapping[str, Any], source: str | Mapping[str, Any]
) -> ActivationRequest:
    check_arguments(activation, arguments)
    return ActivationRequest(
        activation, dict(arguments), copy.deepcopy(source if isinstance(source, str) else dict(source))
    )


def _find(name: str) -> type[nn.Module]:
    return import_activation(name) if "." in name else find_activation(name)


def _from_text(text: str) -> ActivationRequest:
    stripped = text.strip()
    if stripped.startswith(_LIBRARY):
        return _from_mapping(read_library_entry(stripped.removeprefix(_LIBRARY).strip()))
    if stripped.startswith(_FORMULA):
        return _from_mapping({"formula": stripped.removeprefix(_FORMULA).strip()})
    parts = SpecText(stripped)
    activation = _find(parts.name)
    label = f"activation {activation.__name__}"
    if activation is _formula_class() and "text" in parts.keywords:
        parts.arguments.append(parts.keywords.pop("text"))  # a formula, not a literal
    keywords = {name: read_literal(value, f"{label}: {name}") for name, value in parts.keywords.items()}
    if activation is _formula_class():
        return _request(activation, _formula_arguments(parts.arguments, keywords), stripped)
    unnamed = [read_literal(value, f"{label}: an unnamed argument") for value in parts.arguments]
    return _request(activation, name_arguments(activation, unnamed, keywords), stripped)


def _from_mapping(spec: Mapping[str, Any]) -> ActivationRequest:
    if "formula" in spec:
        others = {name: value for name, value in spec.items() if name != "formula"}
        return _request(_formula_class(), _formula_arguments([spec["formula"]], others), spec)
    if not isinstance(spec.get("class_path"), str) or not set(spec) <= {"class_path", "init_args"}:
        raise InputError(f"the activation is the mapping {dict(spec)!r}; it must hold formula or class_path, init_args")
    arguments = spec.get("init_args") or {}
    if not isinstance(arguments, Mapping):
        raise InputError(f"init_args of the activation {spec['class_path']} is {arguments!r}; it must be a mapping")
    return _request(_find(spec["class_path"]), arguments, spec)


def _from_partial(spec: functools.partial) -> ActivationRequest:
    """Read `partial(Class, ...)` and what jsonargparse makes of a class_path: `partial(maker, Class)`."""
    chain = [spec.func, *spec.args]
    place = next((i for i, item in enumerate(chain) if isinstance(item, type) and issubclass(item, nn.Module)), None)
    if place is None:
        return ActivationRequest(spec, {}, f"{_path(spec.func)}()")
    activation, keywords = chain[place], dict(spec.keywords)
    if activation is nn.Module and "formula" in keywords:
        # A mapping {formula: ...} typed as a factory: jsonargparse takes the keys for arguments of the base
        # class.
        return _from_mapping(keywords)
    if place:
        # It fills in every default, so a size that equals its default counts as not set.
        defaults = {name: item.default for name, item in parameters_of(activation).items()}
        keywords = {name: value for name, value in keywords.items() if value != defaults.get(name, spec)}
    arguments = name_arguments(activation, chain[place + 1 :], keywords)
    return _request(activation, arguments, {"class_path": _path(activation), "init_args": arguments})


def _formula_class() -> type[nn.Module]:
    return find_activation("Formula")


def _formula_arguments(unnamed: Sequence[Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Sort what follows a formula's text into options of `Formula` and constants."""
    options = parameters_of(_formula_class())
    if len(unnamed) > 1:
        raise InputError(f"formula takes one formula, but {len(unnamed)} are given; constants need a name (a=1.0)")
    arguments = {name: value for name, value in others.items() if name in options}
    if unnamed:
        arguments["text"] = _unquoted(unnamed[0])
    constants = {name: value for name, value in others.items() if name not in options}
    for name, value in constants.items():
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in values):
            raise InputError(
                f"formula has no option {name!r}, and as a constant it must be a number, not {value!r}; "
                f"options are {', '.join(name for name in options if name != 'text')}"
            )
    if constants:
        arguments["constants"] = {**(arguments.get("constants") or {}), **constants}
    return arguments


def _unquoted(text: Any) -> Any:
    quoted = isinstance(text, str) and len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _path(item: Any) -> str:
    return f"{item.__module__}.{item.__qualname__}" if hasattr(item, "__qualname__") else repr(item)
