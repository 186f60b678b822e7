"""What training rows say about features, for the null models that need data.

Shapes: B training rows, F columns, G features (entities).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, shown
from ..entities import entity_of
from ..matrices import IntArray

__all__ = ["Measured", "feature_places", "measured_columns"]

_PRESENT = "=present"


@dataclass(frozen=True)
class Measured:
    """Columns of measurements, NaN where nothing was measured.

    Args:
        values: (B, C).
        owners: Feature that each column belongs to, (C,).
        names: Names of the features, (G,).
    """

    values: NDArray[np.float64]
    owners: IntArray
    names: tuple[str, ...]

    def mean_of_columns(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean over each feature's columns, of the last axis; NaN where all are."""
        found = ~np.isnan(numbers)
        total = np.zeros((*numbers.shape[:-1], len(self.names)))
        count = np.zeros_like(total)
        np.add.at(total.T, self.owners, np.where(found, numbers, 0.0).T)
        np.add.at(count.T, self.owners, found.T)
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def measured_columns(x_train: np.ndarray, feature_names: Sequence[str]) -> Measured:
    """Tell values and masks apart: where `NAME=present` is 0, the value of `NAME` counts as not measured.

    Raises:
        InputError: If the table is no table of numbers with a name per column, or a mask is not of 0 and 1.
    """
    names = list(feature_names)
    values = _checked_table(x_train, names)
    place = {name: number for number, name in enumerate(names)}
    masks = [name for name in names if name.endswith(_PRESENT) and name.removesuffix(_PRESENT) in place]
    for name in masks:
        mask = values[:, place[name]]
        if not np.isin(mask, (0.0, 1.0)).all():
            raise InputError(f"column {name} has values other than 0 and 1; a mask must not be scaled")
        values[mask == 0, place[name.removesuffix(_PRESENT)]] = np.nan
    chosen = [number for name, number in place.items() if name not in set(masks)]
    entities = [entity_of(names[number]) for number in chosen]
    number_of = {name: number for number, name in enumerate(dict.fromkeys(entities))}
    owners = np.array([number_of[name] for name in entities], dtype=np.int64)
    return Measured(values[:, chosen], owners, tuple(number_of))


def _checked_table(x_train: np.ndarray, names: Sequence[str]) -> NDArray[np.float64]:
    values = np.array(x_train, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2:
        raise InputError(f"x_train has the shape {values.shape}; it must be two or more training rows by columns")
    if values.shape[1] != len(names) or len(set(names)) != len(names):
        raise InputError(
            f"x_train has {values.shape[1]} columns for {len(set(names))} different names; give one name for each"
        )
    if np.isinf(values).any():
        raise InputError("x_train has infinite values; give finite ones, and NaN where nothing was measured")
    return values


def feature_places(fitted: Sequence[str], features: Iterable[str], null: str) -> IntArray:
    """Return the place of each feature of a hierarchy among those that a null model was fitted on.

    Raises:
        InputError: If one is not among them.
    """
    place = {name: number for number, name in enumerate(fitted)}
    wanted = list(features)
    missing = [name for name in wanted if name not in place]
    if missing:
        raise InputError(
            f"{null} was fitted without {len(missing)} features of the hierarchy ({shown(missing)}); fit it on "
            "training rows with a column for each"
        )
    return np.array([place[name] for name in wanted], dtype=np.int64)
