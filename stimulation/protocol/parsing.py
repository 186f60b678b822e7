"""Protocols as people write them: YAML files, lists and mappings, with short forms."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError
from ..gradient import GradientRule
from ..light import build_light
from ..light.checks import check_keys
from ..opsins import Opsin, build_opsin
from .stimulus import Stimulus
from .target import Target

__all__ = ["build_gradient", "build_stimuli", "build_target", "read_protocol", "shipped_protocols"]

_CONFIGS = Path(__file__).resolve().parents[2] / "configs"
_FOLDER = "protocols/"
_KEYS = ("name", "target", "opsin", "light", "gradient", "optimizer", "phases")


def read_protocol(source: str | Path) -> Any:
    """Return the content of a protocol file, or of the text of one.

    Args:
        source: Path of a YAML file; name of a shipped one below ``configs/protocols``, with or without ``.yaml``; or
            YAML text, recognised by a line break, a leading bracket or a leading dash.

    Raises:
        InputError: If there is no such file, naming the nearest shipped ones, or it is no YAML.

    Example:
        >>> read_protocol("[{target: hidden_0.post, opsin: silence}]")
        [{'target': 'hidden_0.post', 'opsin': 'silence'}]
    """
    is_text = isinstance(source, str) and ("\n" in source or source.lstrip().startswith(("[", "{", "- ")))
    text = str(source) if is_text else Path(_find(str(source))).read_text(encoding="utf-8")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader with one rule less)
    except yaml.YAMLError as error:
        where = "the text of the protocol" if is_text else f"protocol {str(source)!r}"
        raise InputError(f"{where} is no YAML: {' '.join(str(error).split())}") from None


def shipped_protocols() -> dict[str, str]:
    """Return the path of every protocol that comes with the package, by its name.

    Example:
        >>> all(path.endswith(f"{name}.yaml") for name, path in shipped_protocols().items())
        True
    """
    folder = _CONFIGS / _FOLDER
    return {path.relative_to(folder).with_suffix("").as_posix(): str(path) for path in sorted(folder.rglob("*.yaml"))}


def build_stimuli(values: Any) -> tuple[Stimulus, ...]:
    """Return the stimuli that a list of mappings states, each with a name of its own.

    Raises:
        InputError: If it is no list, a key is unknown or missing, or a value cannot be used; the message says which
            stimulus.

    Example:
        >>> [stimulus.name for stimulus in build_stimuli([{"target": "hidden_0.post", "opsin": "silence"}] * 2)]
        ['silence', 'silence_2']
    """
    if isinstance(values, (str, Mapping)) or not isinstance(values, Sequence) or not values:
        raise InputError(f"stimuli is {_short(values)}; it must be a list of at least one stimulus")
    stimuli: list[Stimulus] = []
    given = {value.get("name") for value in values if isinstance(value, Mapping)}
    for number, value in enumerate(values, 1):
        if isinstance(value, Stimulus):
            stimuli.append(value)
            continue
        try:
            stimuli.append(_build_stimulus(value, {stimulus.name for stimulus in stimuli} | given))
        except InputError as error:
            raise InputError(f"{_line(number, value)}: {error}") from None
    names = [stimulus.name for stimulus in stimuli]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two stimuli are named {twice!r}; names must differ")
    return tuple(stimuli)


def build_target(value: Any) -> Target:
    """Return the target that a mapping states, or the whole of the sites that a name or a list of names states.

    Raises:
        InputError: If a key is unknown or missing, or a value cannot be used.

    Example:
        >>> build_target({"site": "blocks.1.attention.v", "heads": [0, 1]}).heads
        (0, 1)
    """
    if isinstance(value, Target):
        return value
    if not isinstance(value, Mapping):
        return Target(value)
    check_keys("target", value, [item.name for item in fields(Target)])
    if "site" not in value:
        raise InputError("target has no key site; it must name the sites to be illuminated")
    given: dict[str, Any] = {key: item for key, item in value.items() if item is not None or key == "site"}
    return Target(**given)


def build_gradient(value: Any) -> GradientRule | None:
    """Return the gradient rule that a name or a mapping states; None for None.

    Raises:
        InputError: If a key is unknown or a value cannot be used.

    Example:
        >>> build_gradient("block"), build_gradient({"kind": "scaled", "factor": 0.1}).factor
        (GradientRule(kind='block', factor=None, classes=()), 0.1)
    """
    if value is None or isinstance(value, GradientRule):
        return value
    given: Any = {"kind": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or "kind" not in given:
        raise InputError(f"gradient is {_short(value)}; it must be a name or a mapping with the key kind")
    check_keys("gradient", given, [item.name for item in fields(GradientRule)])
    classes = given.get("classes") or ()
    factor = given.get("factor")
    return GradientRule(
        kind=given["kind"],
        factor=None if factor is None else float(factor),
        classes=(classes,) if isinstance(classes, int) else tuple(classes),
    )


class _Loader(yaml.SafeLoader):
    """YAML in which ``1:3`` is the text of a slice, not the 63 of sexagesimal numbers, and ``1e-4`` a number."""


_INTEGER = "tag:yaml.org,2002:int"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _INTEGER]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INTEGER, re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+([.][0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _build_stimulus(value: Any, taken: set[Any]) -> Stimulus:
    if not isinstance(value, Mapping):
        raise InputError(f"it is {_short(value)}; it must be a mapping with the keys target and opsin")
    check_keys("it", value, _KEYS)
    missing = next((key for key in ("target", "opsin") if value.get(key) is None), None)
    if missing:
        raise InputError(f"it has no key {missing}")
    opsin = build_opsin(value["opsin"])
    optional = {key: value[key] for key in ("optimizer", "phases") if value.get(key) is not None}
    return Stimulus(
        name=_name(value.get("name"), opsin, taken),
        target=build_target(value["target"]),
        opsin=opsin,
        light=build_light(value.get("light")),
        gradient=build_gradient(value.get("gradient")),
        **optional,
    )


def _name(given: Any, opsin: Opsin, taken: set[Any]) -> str:
    if given is not None:
        if not isinstance(given, str) or not given:
            raise InputError(f"name is {given!r}; it must be text")
        return given
    numbered = (opsin.kind if number == 1 else f"{opsin.kind}_{number}" for number in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def _line(number: int, value: Any) -> str:
    """Return how a message names a stimulus that could not be read."""
    if not isinstance(value, Mapping):
        return f"stimulus {number}"
    opsin, target = value.get("opsin"), value.get("target")
    kind = opsin.get("kind") if isinstance(opsin, Mapping) else opsin
    site = target.get("site") if isinstance(target, Mapping) else target
    known = [str(kind) if kind else "", f"at {_short(site)}" if site else ""]
    return f"stimulus {number} ({' '.join(word for word in known if word)})" if any(known) else f"stimulus {number}"


def _find(name: str) -> str:
    if os.path.isfile(name):  # Path.is_file raises where a name is too long
        return name
    shipped = shipped_protocols()
    below = name.removeprefix("configs/").removeprefix(_FOLDER).removesuffix(".yaml")
    if below in shipped:
        return shipped[below]
    near = difflib.get_close_matches(below, shipped, n=3, cutoff=0.4) or list(shipped)
    hint = f"; shipped protocols: {', '.join(near)}" if near else ""
    raise InputError(f"protocol {name!r} is not a file{hint}")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
