"""The JSON schema of a type annotation, lenient where it cannot know: an unknown type accepts anything."""

import collections.abc
import inspect
import os
import types
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from .config_classes import describe_arguments

__all__ = ["NOTHING", "Schema", "any_of", "type_schema"]

Schema = dict[str, Any]
# From a class, and the number of arguments where a factory of it is expected, to the schema of naming one.
ClassSchema = Callable[[type, int | None], Schema]

# What no config can hold, such as a tensor.
NOTHING: Schema = {"not": {}}

_PLAIN: dict[Any, Schema] = {
    None: {"type": "null"},
    type(None): {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Path: {"type": "string"},
    os.PathLike: {"type": "string"},
    timedelta: {"type": "string"},
}
_ARRAYS = (list, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)
_OBJECTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def type_schema(annotation: Any, class_schema: ClassSchema) -> Schema:
    """Return the schema of the values that a config can give for a type.

    Args:
        annotation: The type.
        class_schema: Says how a class is named where an object of it is expected.

    Example:
        >>> type_schema(list[int] | None, lambda base, arguments: {})
        {'anyOf': [{'type': 'array', 'items': {'type': 'integer'}}, {'type': 'null'}]}
        >>> type_schema(dict[str, Any], lambda base, arguments: {"const": base})
        {'type': 'object', 'additionalProperties': {}}
    """

    def schema(part: Any) -> Schema:
        return type_schema(part, class_schema)

    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN or annotation in _ARRAYS or annotation in _OBJECTS:
        return dict(_PLAIN.get(annotation) or {"type": "object" if annotation in _OBJECTS else "array"})
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return any_of([schema(part) for part in arguments])
    if origin in (Annotated, Required, NotRequired):
        return schema(arguments[0])
    if origin is collections.abc.Callable:
        return _factory_schema(arguments, class_schema)
    if origin is tuple:
        return _tuple_schema(arguments, schema)
    if origin in _ARRAYS:
        return {"type": "array", "items": schema(arguments[0])}
    if origin in _OBJECTS:
        return {"type": "object", "additionalProperties": schema(arguments[1])}
    return _class_schema(annotation, class_schema)


def any_of(schemas: list[Schema]) -> Schema:
    """Return a schema that accepts what one of the schemas accepts, without repeating one.

    A list of anything is left out beside a list that says more: it stands for a type that reads the same lists.

    Example:
        >>> any_of([{"type": "null"}, {"type": "null"}])
        {'type': 'null'}
    """
    flat = [part for schema in schemas for part in (schema["anyOf"] if set(schema) == {"anyOf"} else [schema])]
    flat = [part for part in flat if part != NOTHING] or [NOTHING]
    if {} in flat:
        return {}
    if any(part.get("type") == "array" and "items" in part for part in flat):
        flat = [part for part in flat if part != {"type": "array"}]
    distinct = [part for place, part in enumerate(flat) if part not in flat[:place]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _factory_schema(arguments: tuple[Any, ...], class_schema: ClassSchema) -> Schema:
    """Return the schema of what a callable makes: a config names the class, the program calls it."""
    given, made = arguments
    number = len(given) if isinstance(given, list) else None
    members = get_args(made) if get_origin(made) in (Union, types.UnionType) else (made,)
    return any_of([class_schema(member, number) if inspect.isclass(member) else {} for member in members])


def _tuple_schema(arguments: tuple[Any, ...], schema: Callable[[Any], Schema]) -> Schema:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": schema(arguments[0])}
    number = len(arguments)
    return {
        "type": "array",
        "prefixItems": [schema(part) for part in arguments],
        "minItems": number,
        "maxItems": number,
    }


def _class_schema(annotation: Any, class_schema: ClassSchema) -> Schema:
    if not inspect.isclass(annotation) or annotation in (Any, inspect.Parameter.empty):
        return {}
    if is_typeddict(annotation):
        fields = get_type_hints(annotation)
        required: frozenset[str] = vars(annotation)["__required_keys__"]
        described = describe_arguments(annotation.__doc__)
        properties = {name: type_schema(item, class_schema) for name, item in fields.items()}
        return {
            "type": "object",
            "properties": {
                name: {**schema, "description": described[name]} if name in described else schema
                for name, schema in properties.items()
            },
            "required": sorted(required),
            "additionalProperties": False,
        }
    if issubclass(annotation, list):  # a list with a name of its own
        return {"type": "array"}
    return class_schema(annotation, None)
