"""The options of the verbs that train, taken from the schema of their configs, as hints for a shell."""

import argparse
import re
from collections.abc import Iterator
from typing import Any

from .schema import config_schema, verb_properties
from .schema_types import Schema

__all__ = ["add_training_options", "training_options"]

_REFERENCE = "#/$defs/"
_WORD = re.compile(r"[\w.:-]+")
_FIRST_SENTENCE = re.compile(r"(.{10,}?)[.;](?:\s|$)")


def add_training_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the options of a verb as hints; the parser is never used to parse.

    Example:
        >>> parser = argparse.ArgumentParser(add_help=False)
        >>> add_training_options(parser, "fit")
        >>> next(action.choices for action in parser._actions if action.dest == "model.network.norm")
        ['batch', 'layer', 'none', 'null']
    """
    parser.add_argument("-h", "--help", action="store_true", help="show the options and leave")
    parser.add_argument("--config", "-c", help="config file; may be given several times")
    parser.add_argument("--print_config", action="store_true", help="print the config after all settings and leave")
    parser.add_argument("--allow_imports", help="packages whose classes configs may name")
    for name, (description, choices) in training_options(verb).items():
        # An option whose only known value is null says nothing about the others.
        parser.add_argument(f"--{name}", choices=choices if set(choices) - {"null"} else None, help=description)


def training_options(verb: str) -> dict[str, tuple[str, list[str]]]:
    """Return the description and the known values of every option of a verb.

    Example:
        >>> training_options("test")["data.missing"][1]
        ['error', 'median']
    """
    schema = config_schema()
    own = verb_properties(verb)
    shared = ("seed_everything", "model", "data", "trainer")
    options: dict[str, tuple[str, list[str]]] = {}
    for name, item in schema["properties"].items():
        if name in shared or name in own:
            _collect(name, item, schema["$defs"], options, ())
    return options


def _collect(
    name: str,
    item: Schema,
    places: dict[str, Schema],
    options: dict[str, tuple[str, list[str]]],
    within: tuple[str, ...],
) -> None:
    """Add an option and those below it; one of several classes may have it, so values are put together."""
    description, known = options.get(name, (_first_sentence(item.get("description", "")), []))
    values = dict.fromkeys([*known, *_values(item, places)])
    options[name] = (description, list(values))
    for part in item.get("anyOf", [item]):
        for child, schema in part.get("properties", {}).items():
            _collect(f"{name}.{child}", schema, places, options, within)
    for place in sorted({*_places(item)} - {*within}):
        for described in places[place].get("allOf", []):
            for child, schema in described["then"]["properties"]["init_args"]["properties"].items():
                _collect(f"{name}.{child}", schema, places, options, (*within, place))


def _places(item: Schema) -> Iterator[str]:
    """Yield the places of classes that a value can name, not those within a list."""
    for part in item.get("anyOf", [item]):
        if part.get("$ref", "").startswith(_REFERENCE):
            yield part["$ref"].removeprefix(_REFERENCE)


def _values(item: Schema, places: dict[str, Schema]) -> list[str]:
    """Return the words that stand for a value: members, true and false, names of classes."""
    found: list[Any] = []
    for part in [*item.get("anyOf", [item]), item.get("items", {})]:
        found += [*part.get("enum", []), *part.get("examples", [])]
        found += ["true", "false"] if part.get("type") == "boolean" else []
        found += ["null"] if part.get("type") == "null" else []
    for place in _places(item):
        examples = places[place].get("examples", [])
        # A full path is worth offering only where there is no short name.
        found += [word for word in examples if word.rpartition(".")[2] not in examples or "." not in word]
    words = dict.fromkeys(str(value) for value in found)
    return [word for word in words if _WORD.fullmatch(word)]


def _first_sentence(description: str) -> str:
    match = _FIRST_SENTENCE.match(description)
    # argparse reads % as the beginning of a placeholder
    return (match[1] if match else description)[:100].replace("%", "%%")
