"""Tell jsonargparse how lists of activation specs and hierarchies are read and written."""

from collections.abc import Mapping
from typing import Any

from jsonargparse import Namespace
from jsonargparse.typing import register_type

from ...activations import SpecList
from ...structures import Hierarchy

__all__ = ["register_spec_types"]


def register_spec_types() -> None:
    """Register `SpecList` and `Hierarchy`; a second call changes nothing.

    Example:
        >>> register_spec_types()
    """
    register_type(SpecList, serializer=_write, deserializer=_read, fail_already_registered=False)
    register_type(Hierarchy, _write_hierarchy, _read_hierarchy, type_check=isinstance, fail_already_registered=False)


def _read(value: Any) -> SpecList:
    if not isinstance(value, list) or not all(isinstance(item, (str, Mapping, Namespace)) for item in value):
        raise ValueError(f"{value!r} is not a list of activation specs")
    return SpecList(item.as_dict() if isinstance(item, Namespace) else item for item in value)


def _write(value: Any) -> list[Any]:
    # a union asks every member to write; only a list is ours
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list of activation specs")
    return list(value)


def _read_hierarchy(value: Any) -> Hierarchy:
    """Return the hierarchy that a checkpoint holds."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{str(value)[:80]!r} is no hierarchy")
    return Hierarchy.from_dict(value)


def _write_hierarchy(value: Any) -> dict[str, Any]:
    if not isinstance(value, Hierarchy):
        raise ValueError(f"{str(value)[:80]!r} is no hierarchy")
    return value.to_dict()
