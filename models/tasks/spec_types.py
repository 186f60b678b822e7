"""Tell jsonargparse how a list of activation specs is read and written."""

from collections.abc import Mapping
from typing import Any

from jsonargparse import Namespace
from jsonargparse.typing import register_type

from ...activations import SpecList

__all__ = ["register_spec_types"]


def register_spec_types() -> None:
    """Register `SpecList`; a second call changes nothing.

    Example:
        >>> register_spec_types()
    """
    register_type(SpecList, serializer=_write, deserializer=_read, fail_already_registered=False)


def _read(value: Any) -> SpecList:
    if not isinstance(value, list) or not all(isinstance(item, (str, Mapping, Namespace)) for item in value):
        raise ValueError(f"{value!r} is not a list of activation specs")
    return SpecList(item.as_dict() if isinstance(item, Namespace) else item for item in value)


def _write(value: Any) -> list[Any]:
    # a union asks every member to write; only a list is ours
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list of activation specs")
    return list(value)
