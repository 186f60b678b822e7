"""Engines by name: text or a mapping, as a config holds it, becomes an engine."""

import difflib
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_type_hints

from ...activations.specs.arguments import type_matches
from ...errors import InputError
from .base import Engine
from .enumeration import Enumeration
from .gplearn_engine import GplearnEngine
from .operon_engine import OperonEngine

__all__ = ["ENGINES", "build_engine"]

ENGINES: Mapping[str, type[Any]] = MappingProxyType(
    {engine.name: engine for engine in (Enumeration, GplearnEngine, OperonEngine)}
)


def build_engine(spec: "str | Mapping[str, Any] | Engine") -> Engine:
    """Return the engine that a config names.

    Args:
        spec: A name (`enumerate`, `gplearn`, `operon`), a mapping `{kind: name, ...}` with the engine's arguments, or
            an engine of one's own, which is returned as it is.

    Raises:
        InputError: If there is no such engine, or it does not take the arguments.

    Example:
        >>> build_engine("gplearn").generations, build_engine({"kind": "gplearn", "generations": 20}).generations
        (5, 20)
        >>> build_engine("gp-learn")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: engine 'gp-learn' is unknown; did you mean gplearn?
    """
    if not isinstance(spec, (str, Mapping)):
        if callable(getattr(spec, "propose", None)):
            return spec
        raise InputError(f"engine is {spec!r:.60}; it must be one of {', '.join(ENGINES)}, or a mapping with its kind")
    arguments = {} if isinstance(spec, str) else {key: value for key, value in spec.items() if key != "kind"}
    kind = spec if isinstance(spec, str) else spec.get("kind")
    if kind is None:
        raise InputError(f"engine has no key kind; it must be one of {', '.join(ENGINES)}")
    if kind not in ENGINES:
        near = difflib.get_close_matches(str(kind).lower(), ENGINES, n=1)
        raise InputError(
            f"engine '{kind}' is unknown; "
            + (f"did you mean {near[0]}?" if near else f"known are {', '.join(ENGINES)}")
        )
    _check_arguments(str(kind), ENGINES[kind], arguments)
    return ENGINES[kind](**arguments)


def _check_arguments(kind: str, engine: type[Any], arguments: Mapping[str, Any]) -> None:
    known = list(inspect.signature(engine).parameters)
    hints = get_type_hints(engine.__init__)
    for name, value in arguments.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=3) or known
            raise InputError(f"engine.{name} is not a setting of engine {kind}; nearest are {', '.join(near)}")
        if not type_matches(value, hints[name]):
            raise InputError(f"engine.{name} is {value!r}, which engine {kind} cannot take; see its documentation")
