"""Which column of the data belongs to which feature of the hierarchy.

Legend of shapes: F columns, N features of the hierarchy.
"""

import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from ...errors import InputError
from ...structures import Hierarchy, entity_of

__all__ = ["Columns", "match_columns"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Columns:
    """How the columns of the data are used.

    Attributes:
        names: Names of the columns, (F,).
        nodes: int64 (F,), the place of each column's feature in the lowest layer; -1 where it has none.
        covariates: Places of the covariates among the columns.
        hierarchy: The hierarchy without features that no column measures.
    """

    names: tuple[str, ...]
    nodes: np.ndarray
    covariates: tuple[int, ...]
    hierarchy: Hierarchy

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of the columns that are neither measurements of a feature nor covariates."""
        covariates = set(self.covariates)
        return tuple(self.names[i] for i in np.flatnonzero(self.nodes < 0) if i not in covariates)

    @property
    def most_per_feature(self) -> int:
        """The largest number of columns that one feature has."""
        return int(np.bincount(self.nodes[self.nodes >= 0]).max())


def match_columns(
    hierarchy: Hierarchy, feature_names: Sequence[str] | None, in_features: int, covariates: Sequence[str]
) -> Columns:
    """Find the feature of every column, by its whole name or by its entity; log what has no partner.

    Raises:
        InputError: If the number of names is not `in_features`, a covariate is unknown or named twice, or no column
            belongs to a feature.
    """
    names = tuple(hierarchy.features if feature_names is None else feature_names)
    if len(names) != in_features:
        source = "the hierarchy has {} features" if feature_names is None else "feature_names lists {} names"
        raise InputError(f"in_features is {in_features}, but {source.format(len(names))}; they must be as many")
    chosen = _places_of(covariates, names)
    place = {name: number for number, name in enumerate(hierarchy.features)}
    nodes = np.array([place.get(name, place.get(entity_of(name), -1)) for name in names], dtype=np.int64)
    nodes[list(chosen)] = -1
    if (nodes < 0).all():
        raise InputError(
            f"none of the {len(names):,} columns ({_some(names)}) is a feature of the hierarchy "
            f"({_some(hierarchy.features)}); compile the hierarchy for the names that the data have"
        )
    columns = _without_absent(Columns(names, nodes, chosen, hierarchy))
    _report(columns, sorted(set(hierarchy.features) - set(columns.hierarchy.features)))
    return columns


@rank_zero_only
def _report(columns: Columns, absent: Sequence[str]) -> None:
    if absent or columns.unused:
        log.warning(
            "%d of %d columns are features of the hierarchy; not used: %s; features without a column, left out: %s",
            (columns.nodes >= 0).sum(),
            len(columns.names),
            _counted(columns.unused),
            _counted(absent),
        )


def _places_of(covariates: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    """Return the places of the columns that the covariates name, each by its own name or by its entity."""
    places: list[int] = []
    for covariate in covariates:
        found = [number for number, name in enumerate(names) if name == covariate]
        found = found or [number for number, name in enumerate(names) if entity_of(name) == covariate]
        if not found:
            near = difflib.get_close_matches(covariate, names, n=3)
            hint = f"did you mean {' or '.join(near)}" if near else f"columns are {_some(names)}"
            raise InputError(f"covariates names {covariate!r}, which is no column of the data; {hint}")
        places += found
    if len(set(places)) != len(places):
        raise InputError(f"covariates is {list(covariates)}; every column may stand once")
    return tuple(places)


def _without_absent(columns: Columns) -> Columns:
    """Leave out features that no column measures: they would be inputs that are always 0."""
    hierarchy = columns.hierarchy
    present = np.zeros(hierarchy.sizes[0], dtype=bool)
    present[columns.nodes[columns.nodes >= 0]] = True
    if present.all():
        return columns
    number = np.where(present, np.cumsum(present) - 1, -1)
    features = tuple(name for name, here in zip(hierarchy.features, present, strict=True) if here)
    edges = []
    for source, target, pairs in hierarchy.edges:
        if source == 0:
            pairs = pairs[:, present[pairs[0]]]
            pairs = np.stack([number[pairs[0]], pairs[1]])
        edges.append((source, target, pairs))
    note = f"{(~present).sum():,} features left out that no column of the data measures"
    smaller = replace(
        hierarchy,
        nodes=(features, *hierarchy.nodes[1:]),
        edges=tuple(edges),  # type: ignore[arg-type]
        notes=(*hierarchy.notes, note),
    )
    nodes = np.where(columns.nodes >= 0, number[columns.nodes], -1)
    return replace(columns, nodes=nodes, hierarchy=smaller)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _counted(names: Sequence[str]) -> str:
    return f"{len(names):,} ({_some(names)})" if names else "none"
