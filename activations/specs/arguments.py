"""Arguments of a spec against the constructor they are meant for: unknown, missing, of a wrong type."""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from torch import nn

from ...errors import InputError

__all__ = ["check_arguments", "name_arguments", "parameters_of", "type_matches"]

# What the place where an activation is built supplies, so a spec may leave it out.
_SUPPLIED = "num_features"
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def parameters_of(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a class's constructor or of a function, by name, without *args and **kwargs.

    Example:
        >>> list(parameters_of(nn.LeakyReLU))
        ['negative_slope', 'inplace']
    """
    parameters = _class_parameters(factory) if isinstance(factory, type) else _signature(factory)
    return {name: item for name, item in parameters.items() if item.kind not in _VARIABLE}


def _signature(factory: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return {}


# A network asks for the same few classes over and over.
_class_parameters = lru_cache(maxsize=256)(_signature)


def name_arguments(activation: type[nn.Module], unnamed: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Give unnamed arguments the names of the constructor's leading parameters.

    Raises:
        InputError: If there are too many, or one is also given by name.

    Example:
        >>> name_arguments(nn.LeakyReLU, [0.2], {})
        {'negative_slope': 0.2}
    """
    names = [
        name
        for name, item in parameters_of(activation).items()
        if item.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(unnamed) > len(names):
        raise InputError(f"activation {activation.__name__} takes {len(names)} unnamed arguments, not {len(unnamed)}")
    named = dict(zip(names, unnamed, strict=False))
    for name in named:
        if name in keywords:
            raise InputError(f"activation {activation.__name__} receives {name} twice, unnamed and by name")
    return {**named, **keywords}


def check_arguments(activation: type[nn.Module], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that the constructor does not know, lacks, or declares with another type.

    Raises:
        InputError: Naming the activation, the parameter and what is allowed.

    Example:
        >>> check_arguments(nn.LeakyReLU, {"slope": 0.2})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: activation LeakyReLU has no parameter 'slope'; ...
    """
    parameters = parameters_of(activation)
    label = f"activation {activation.__name__}"
    for name in arguments:
        if name not in parameters:
            allowed = f"allowed are {', '.join(parameters)}" if parameters else "it takes none"
            near = get_close_matches(str(name), parameters, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise InputError(f"{label} has no parameter {name!r}; {allowed}{hint}")
    for name, item in parameters.items():
        if item.default is inspect.Parameter.empty and name not in arguments and name != _SUPPLIED:
            raise InputError(f"{label} needs the parameter {name}, which the spec does not give")
    try:
        hints = get_type_hints(activation.__init__)
    except (NameError, TypeError):  # a class of the user with names that cannot be resolved
        return
    for name, value in arguments.items():
        if name in hints and not type_matches(value, hints[name]):
            raise InputError(f"{label}: {name} is {value!r}; it must be {_describe(hints[name])}")


def type_matches(value: Any, annotation: Any) -> bool:
    """Tell whether plain data fits a type annotation; annotations other than the common ones fit everything.

    Example:
        >>> type_matches(1, float), type_matches(True, float), type_matches("a", Literal["a", "b"])
        (True, False, True)
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(type_matches(value, member) for member in inner)
    if origin is Literal:
        return any(value == member and type(value) is type(member) for member in inner)
    if annotation is None or annotation is type(None):
        return value is None
    if annotation in (float, int):
        number = (int, float) if annotation is float else (int,)
        return isinstance(value, number) and not isinstance(value, bool)
    if annotation in (bool, str):
        return isinstance(value, annotation)
    if origin is tuple and Ellipsis not in inner:
        return _is_sequence(value) and len(value) == len(inner) and all(map(type_matches, value, inner))
    if origin in (list, tuple, Sequence):
        return _is_sequence(value) and all(type_matches(item, inner[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping)
    return True


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _describe(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(member) for member in inner)
    if origin is Literal:
        return " or ".join(repr(member) for member in inner)
    names = {float: "a number", int: "an integer", bool: "true or false", str: "a text", type(None): "none"}
    return names.get(annotation, str(annotation).replace("typing.", "").replace("collections.abc.", ""))
