"""Data modules that runs of one process share: a table is read, divided and encoded once per split.

Shapes: N training rows, C columns.
"""

import copy
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule

from ...datamodules import TableDataModule
from ...datamodules.encoding import numeric_values
from ...errors import InputError
from ...structures import Hierarchy, NullModel, build_null, entity_of
from .draws import Draw, clear_draws, draw_of, edges_key
from .recipe import NullRecipe, canonical_json

__all__ = ["SharedData", "clear_data_cache", "data_of"]

# Splits of one study follow one another; more would hold every fold's table in memory.
_MOST_KEPT = 4
_kept: "OrderedDict[str, SharedData]" = OrderedDict()


@dataclass
class SharedData:
    """A data module that is set up, and the null models fitted on its training rows.

    Args:
        data: The data module; runs get views of it.
        key: What tells it from others.
    """

    data: TableDataModule
    key: str = ""
    _nulls: dict[str, NullModel] = field(default_factory=dict)
    _table: tuple[np.ndarray, list[str]] | None = None

    def __post_init__(self) -> None:
        self.data.prepare_data()
        self.data.setup()
        self.data.train_dataloader()  # encodes every row, once for all views

    def view(self, null: NullRecipe | None = None) -> tuple[TableDataModule, dict[str, Any]]:
        """Return the data module for one run, with a draw in place of its hierarchy, and what is left in that draw.

        Raises:
            InputError: If there is no hierarchy to draw from, or the null model does not suit it.
        """
        view = copy.copy(self.data)
        if null is None:
            return view, {}
        view.__dict__["hierarchy"], quality = self.draw(null)
        return view, quality

    def draw(self, null: NullRecipe) -> Draw:
        """Return one draw of a null model, which is fitted on the training rows where it needs data.

        Raises:
            InputError: As `view`.
        """
        hierarchy, model = self._hierarchy(null), self._null(null)
        fitted_on = self.key if model.needs_data else ""
        return draw_of(hierarchy, f"{self._edges} {fitted_on}", null, model)

    @cached_property
    def _edges(self) -> str:
        assert self.data.hierarchy is not None  # noqa: S101
        return edges_key(self.data.hierarchy)

    def _hierarchy(self, null: NullRecipe) -> Hierarchy:
        hierarchy = self.data.hierarchy
        if hierarchy is None:
            raise InputError(
                f"null is {null['class_path']}, but the data have no hierarchy; give data.hierarchy, or leave out null"
            )
        return hierarchy

    def _null(self, null: NullRecipe) -> NullModel:
        spec = {"class_path": null["class_path"], "init_args": dict(null.get("init_args") or {})}
        key = canonical_json(spec)
        if key not in self._nulls:
            model = build_null(spec)
            self._nulls[key] = model.fit(*self.training_table()) if model.needs_data else model
        return self._nulls[key]

    def training_table(self) -> tuple[np.ndarray, list[str]]:
        """Return the training rows (N, C) as they were measured, NaN where they were not, and the columns' names."""
        if self._table is None:
            data = self.data
            frame = data.table().iloc[data.rows.train]
            numeric = data.encoder.numeric
            levels = [place for place, name in enumerate(data.feature_names) if entity_of(name) in data.encoder.levels]
            encoded = data.encoder.transform(frame, data.source)[:, levels]
            values = numeric_values(frame, numeric, data.source, "median")
            names = [*numeric, *(data.feature_names[place] for place in levels)]
            self._table = np.concatenate([values, encoded], axis=1), names
        return self._table


def data_of(
    config: Mapping[str, Any] | str, make: Callable[[], LightningDataModule], null: NullRecipe | None = None
) -> tuple[LightningDataModule, dict[str, Any]]:
    """Return the data module of a config for one run, and what is left of its hierarchy in the draw.

    The table behind it is kept for the next call with the same config. A data module of another kind than this
    package's is made anew each time.

    Args:
        config: The config's part `data`.
        make: Makes the data module.
        null: Draw that takes the place of the hierarchy.

    Raises:
        InputError: If the data cannot be read, or the null model does not suit them.
    """
    key = canonical_json([os.getcwd(), config])  # paths of the config may be relative
    if key not in _kept:
        data = make()
        if not isinstance(data, TableDataModule):
            return _without_null(data, null), {}
        _kept[key] = SharedData(data, key)
        if len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key].view(null)


def _without_null(data: LightningDataModule, null: NullRecipe | None) -> LightningDataModule:
    if null is not None:
        raise InputError(
            f"null is {null['class_path']}, but {type(data).__name__} is no TableDataModule, whose hierarchy a draw "
            "can replace; leave out null"
        )
    return data


def clear_data_cache() -> None:
    """Forget all data and draws, for instance after files changed."""
    _kept.clear()
    clear_draws()
