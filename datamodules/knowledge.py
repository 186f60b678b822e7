"""The hierarchy of a table's features: read by what a config says, or given as it is.

Shapes: F encoded features.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from ..errors import InputError, shown
from ..structures import Hierarchy, HierarchyFiles, entity_of, read_hierarchy

__all__ = ["hierarchy_of", "plain_files"]

log = logging.getLogger(__name__)


def plain_files(given: HierarchyFiles | Hierarchy | None) -> HierarchyFiles | Hierarchy | None:
    """Return what was given, with paths as text: a checkpoint of plain data can hold them."""
    if not isinstance(given, Mapping):
        return given
    plain = {key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in given.items()}
    return cast(HierarchyFiles, plain)


def hierarchy_of(
    given: HierarchyFiles | Hierarchy, feature_names: Sequence[str], folders: Sequence[Path], source: str
) -> Hierarchy:
    """Return the hierarchy above the features of a table.

    Args:
        given: Files and choices, from which a hierarchy of these features is compiled; or a hierarchy.
        feature_names: Names of the F features; those of one entity (see `structures.entity_of`) are one feature of
            the hierarchy.
        folders: Where relative names of files are looked for, before the working directory.
        source: Name of the table in messages.

    Raises:
        InputError: If the files cannot be read, or none of the features is in the hierarchy.
    """
    entities = list(dict.fromkeys(map(entity_of, feature_names)))
    if isinstance(given, Hierarchy):
        hierarchy = given
    elif isinstance(given, Mapping):
        hierarchy = read_hierarchy(given, features=entities, folders=folders)
    else:
        raise InputError(
            f"hierarchy is {str(given)[:80]!r}; it must be a mapping such as {{reader: gmt, path: sets.gmt}}, or a "
            "Hierarchy"
        )
    compiled_here = isinstance(given, Mapping) and given.get("reader") != "saved" and hierarchy.report is not None
    if not compiled_here:  # else its own report says the same, and more
        _report_match(hierarchy, entities, source)
    return hierarchy


def _report_match(hierarchy: Hierarchy, entities: list[str], source: str) -> None:
    """Say how many features match; one of the hierarchy that the table lacks stays there, without an input."""
    known, measured = set(hierarchy.features), set(entities)
    unused = [name for name in entities if name not in known]
    lacking = [name for name in hierarchy.features if name not in measured]
    if len(unused) == len(entities):
        raise InputError(
            f"none of the {len(entities):,} features of {source} ({shown(entities)}) is in the hierarchy, whose "
            f"features are named like {shown(hierarchy.features)}; give a hierarchy with names of the same kind"
        )
    log.log(
        logging.WARNING if unused or lacking else logging.INFO,
        "%d of the %d features of %s are in the hierarchy (not: %s); it has %d of %d that the table lacks (%s)",
        len(entities) - len(unused),
        len(entities),
        source,
        shown(unused) or "none",
        len(lacking),
        len(known),
        shown(lacking) or "none",
    )
