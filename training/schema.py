"""The JSON schema of configs, for editors: completion of keys, descriptions, typing mistakes underlined.

It is built from the same signatures and docstrings as the command line. It is lenient where configs are: they may be
fragments, so nothing is required, and a class of another package may stand wherever one of ours may.
"""

import inspect
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningCLI
from torch import Tensor

from ..activations.specs import activation_names
from ..structures import Hierarchy
from .config_classes import PLACES, Parameter, Place, describe_arguments, parameters_of
from .schema_types import NOTHING, Schema, any_of, type_schema

__all__ = ["config_schema", "verb_properties"]


def config_schema() -> Schema:
    """Return the JSON schema (draft 2020-12) of the configs of fit, validate, test and predict.

    Example:
        >>> sorted(config_schema()["properties"])[:4]
        ['ckpt_path', 'data', 'model', 'return_predictions']
    """
    seed = type_schema(int | bool | None, _class_reference)
    verbs = [verb_properties(verb) for verb in LightningCLI.subcommands()]
    trainer = [_without_default(parameter) for parameter in parameters_of(Trainer)]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Config of axonlight fit, validate, test and predict",
        "type": "object",
        "properties": {
            "seed_everything": {**seed, "description": "Seed of initialisation and order.", "default": 0},
            "model": {"$ref": "#/$defs/task"},
            "data": {"$ref": "#/$defs/data"},
            "trainer": {**_object(trainer), "description": "Arguments of lightning.pytorch.Trainer."},
            **{name: schema for properties in verbs for name, schema in properties.items()},
        },
        "additionalProperties": False,
        "$defs": {
            **{name: _place(name, place) for name, place in PLACES.items()},
            "class": _place("class", Place(object, {})),
        },
    }


def verb_properties(verb: str) -> dict[str, Schema]:
    """Return what a verb takes beside model, data and trainer.

    Example:
        >>> sorted(verb_properties("test"))
        ['ckpt_path', 'verbose', 'weights_only']
    """
    method = getattr(Trainer, verb)
    described = describe_arguments(method.__doc__)
    properties: dict[str, Schema] = {}
    for name, item in inspect.signature(method).parameters.items():
        if name not in LightningCLI.subcommands()[verb] and name != "self":
            parameter = Parameter(name, item.annotation, inspect.Parameter.empty, described.get(name, ""))
            properties[name] = _property(parameter)
    return properties


def _place(name: str, place: Place) -> Schema:
    """Return the schema of naming a class: its name alone, or a mapping; ours are described in full.

    Conditions rather than alternatives: an editor then underlines the one wrong key, not the whole mapping.
    """
    names = [*place.short_names, *place.classes, *place.others]
    path = any_of([{"enum": names}, {"type": "string"}]) if names else {"type": "string"}
    schema: Schema = {
        "type": ["string", "object"],
        # Without a path it is a fragment that changes arguments of the class that an earlier config names.
        "properties": {"class_path": path, "init_args": {"type": "object"}, "dict_kwargs": {"type": "object"}},
        "additionalProperties": False,
    }
    if place.classes:
        schema["allOf"] = [_described_class(place, path) for path in place.classes]
    if name == "activation":
        schema["description"] = "A name, name(parameter=value), a formula of x, or library:NAME."
        names = [*activation_names(), "ash(z=0.5)", "formula(x*cos(a*x), a=1.0)"]
    return {**schema, "examples": names} if names else schema


def _described_class(place: Place, path: str) -> Schema:
    title = path.rpartition(".")[2]
    summary = inspect.cleandoc(place.classes[path].__doc__ or "").partition("\n")[0]
    return {
        "if": {"properties": {"class_path": {"enum": [title, path]}}, "required": ["class_path"]},
        "then": {
            "title": title,
            "description": summary,
            "properties": {"init_args": _object(place.parameters(path)), "dict_kwargs": NOTHING},
        },
    }


def _object(parameters: list[Parameter]) -> Schema:
    return {
        "type": "object",
        "properties": {parameter.name: _property(parameter) for parameter in parameters},
        "additionalProperties": False,
    }


def _property(parameter: Parameter) -> Schema:
    schema = dict(type_schema(parameter.annotation, _class_reference))
    if parameter.description:
        schema["description"] = parameter.description
    if _is_plain(parameter.default):
        schema["default"] = parameter.default
    return schema


def _without_default(parameter: Parameter) -> Parameter:
    # The command line has defaults of its own for some of the trainer's arguments.
    return Parameter(parameter.name, parameter.annotation, inspect.Parameter.empty, parameter.description)


def _class_reference(base: type, number_of_arguments: int | None) -> Schema:
    """Return the schema of naming a class where an object of `base` is expected."""
    for name, place in PLACES.items():
        # A factory called with sizes makes a network, one called with nothing an activation.
        known = base is place.base or base in place.classes.values()
        if known and number_of_arguments == place.supplied:
            return {"$ref": f"#/$defs/{name}"}
    return NOTHING if base in (Tensor, Hierarchy) else {"$ref": "#/$defs/class"}


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))
