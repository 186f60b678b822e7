"""The base of all table data modules: split, fit on training rows, batch.

Shapes: N rows, F features, B rows of a batch.
"""

import hashlib
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor

from ..errors import InputError
from ..randomness import global_seed
from ..structures import Hierarchy, HierarchyFiles
from .encoding import Missing, Scale, TableEncoder, prediction_table
from .grouping import connected_labels, count_duplicates_across, group_labels, row_fingerprints
from .knowledge import hierarchy_of, plain_files
from .loading import InMemoryLoader
from .splitting import Split, SplitOptions, split_rows
from .targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableDataModule"]


class TableDataModule(LightningDataModule):
    """Serve a table that fits in memory: rows divided, columns encoded, batches `(x, y)`.

    `x` is float32 (B, F). `y` is int64 (B,) with the class of each row, for two classes too, or float32
    (B,) for regression, or float32 (B, 2) with time and event for survival. Whatever is fitted (scaler, medians,
    known levels) is fitted on training rows only and travels in the checkpoint, so that later predictions use the
    same numbers.

    A subclass says where the table comes from: `source`, `read`, `target`, `make_encoder` and, if it has any,
    `group`.

    Args:
        batch_size: Rows of a batch, all devices together: a config makes the same steps on any number of
            them.
        test_fraction: Share of the rows that only test; ignored with `fold`.
        val_fraction: Share of all rows that validate, taken from those that do not test; 0 for no validation.
        fold: The part that tests, 0 to `num_folds` - 1.
        num_folds: Number of parts for cross-validation.
        split_seed: Seed of the split, apart from the seed of initialisation and order.
        stratify: Whether every part gets its share of every class, or of the events (no effect on regression).
        keep_duplicates_together: Whether rows equal in every feature and the target stay on one side.
        limit_rows: Number of rows to use; None uses all.
        limit_seed: Draw the `limit_rows` rows at random with this seed; None takes the first ones.
        missing: "error" refuses missing feature cells; "median" fills them with the training rows' median.
        scale: "standard" or "none", for numeric columns.
        drop_last: Whether a smaller last training batch is left out.
        shuffle_seed: Seed of the order of training rows; None takes the seed of `seed_everything`, else 0.
        predict_path: Table to predict for, with the same feature columns; None predicts for every row.
        hierarchy: What is known about the features, for networks that are built on it: a reader, its files and its
            choices, such as `{reader: gmt, path: sets.gmt}` (see `structures.HierarchyFiles`). In Python also a
            `Hierarchy`, which checkpoints keep with the task alone.

    Raises:
        InputError: If an option is out of range.

    Example:
        >>> from axonlight.datamodules import BreastCancer
        >>> data = BreastCancer(fold=0, num_folds=5, val_fraction=0)
        >>> len(data.rows.train), len(data.rows.test), data.duplicates_across_split
        (455, 114, 0)
    """

    def __init__(
        self,
        *,
        batch_size: int = 256,
        test_fraction: float = 0.2,
        val_fraction: float = 0.1,
        fold: int | None = None,
        num_folds: int | None = None,
        split_seed: int = 0,
        stratify: bool = True,
        keep_duplicates_together: bool = False,
        limit_rows: int | None = None,
        limit_seed: int | None = None,
        missing: Missing = "error",
        scale: Scale = "standard",
        drop_last: bool = False,
        shuffle_seed: int | None = None,
        predict_path: str | None = None,
        hierarchy: HierarchyFiles | Hierarchy | None = None,
    ) -> None:
        super().__init__()
        self.split_options = SplitOptions(test_fraction, val_fraction, fold, num_folds, split_seed)
        for key, value in (("batch_size", batch_size), ("limit_rows", limit_rows)):
            if value is not None and value < 1:
                raise InputError(f"{key} is {value}; it must be a positive integer")
        if limit_seed is not None and limit_rows is None:
            raise InputError(f"limit_seed is {limit_seed}, but limit_rows is not given")
        for key, value, known in (
            ("missing", missing, ("error", "median")),
            ("scale", scale, ("standard", "none")),
        ):
            if value not in known:
                raise InputError(f"{key} is '{value}'; it must be '{known[0]}' or '{known[1]}'")
        self.batch_size = batch_size
        self.stratify = stratify
        self.keep_duplicates_together = keep_duplicates_together
        self.limit_rows = limit_rows
        self.limit_seed = limit_seed
        self.missing: Missing = missing
        self.scale: Scale = scale
        self.drop_last = drop_last
        self.shuffle_seed = shuffle_seed
        self.predict_path = predict_path
        self._knowledge = plain_files(hierarchy)
        self._frame: pd.DataFrame | None = None
        self._features: Tensor | None = None
        self._restored: dict[str, Any] | None = None
        live = isinstance(hierarchy, Hierarchy)
        self.save_hyperparameters(ignore=["hierarchy"] if live else [])
        if hierarchy is not None and not live:
            self.hparams["hierarchy"] = self._knowledge

    # What a subclass provides.

    @property
    def source(self) -> str:
        """Name of the table in messages."""
        raise NotImplementedError

    @cached_property
    def target(self) -> Target:
        """The target column."""
        raise NotImplementedError

    @property
    def group(self) -> str | None:
        """Name of the column whose equal values keep rows together, or None."""
        return None

    def read(self, limit_rows: int | None = None) -> "pd.DataFrame":
        """Read the table, or its first rows."""
        raise NotImplementedError

    def make_encoder(self) -> TableEncoder:
        """Return the encoder, not yet fitted."""
        raise NotImplementedError

    @property
    def folders(self) -> list[Path]:
        """Folders in which relative names of files are looked for, before the working directory."""
        return []

    def divide(self, frame: "pd.DataFrame", strata: np.ndarray | None, groups: np.ndarray | None) -> Split:
        """Return the rows of each part; by default as `split_options` says."""
        return split_rows(len(frame), self.split_options, strata, groups)

    def read_new(self, path: str) -> "pd.DataFrame":
        """Read the rows of `predict_path`; by default a table that has the feature columns."""
        return prediction_table(path, self._feature_columns)

    # What others may ask for at once: nothing here is fitted.

    @cached_property
    def encoder(self) -> TableEncoder:
        """The encoder of the feature columns; fitted by `setup`."""
        return self.make_encoder()

    @property
    def task(self) -> str:
        """`binary`, `multiclass`, `regression` or `survival`."""
        return self.target.task

    @property
    def num_features(self) -> int:
        """Number of encoded features, F."""
        return len(self.feature_names)

    @property
    def feature_names(self) -> list[str]:
        """Names of the encoded features, in order."""
        return self.encoder.feature_names

    @cached_property
    def hierarchy(self) -> Hierarchy | None:
        """The hierarchy above the features, or None."""
        if self._knowledge is None:
            return None
        return hierarchy_of(self._knowledge, self.measurements, self.folders, self.source)

    @property
    def num_patch_features(self) -> int:
        """Width of a patch of whole slides: 0, as a table has none."""
        return 0

    @property
    def num_clinical(self) -> int:
        """Number of columns that stand apart from the features as a modality of their own: 0."""
        return 0

    @property
    def measurements(self) -> list[str]:
        """The features that a hierarchy can hold: all, less covariates where a subclass has some."""
        return self.feature_names

    @property
    def num_classes(self) -> int:
        """Two for a binary task, 0 for regression (one output, no class)."""
        return self.target.num_classes

    @property
    def class_names(self) -> list[str]:
        """Name of each class; empty for regression."""
        return list(self.target.class_names)

    # The life of the data.

    def setup(self, stage: str | None = None) -> None:
        """Read table and hierarchy, divide, fit the encoder on training rows; a second call does nothing.

        Raises:
            InputError: If table or hierarchy do not suit the options; the message names file, column and row.
        """
        _ = self._divided, self.hierarchy

    @property
    def rows(self) -> Split:
        """The training, validation and test rows, as positions in `table()`."""
        return self._divided.split

    @property
    def duplicates_across_split(self) -> int:
        """Number of validation and test rows that repeat a training row."""
        return self._divided.duplicates

    def table(self) -> "pd.DataFrame":
        """Return the rows in use, before encoding; the index holds their numbers in the file, from 0."""
        if self._frame is None:
            whole = self.limit_seed is None or self.limit_rows is None
            frame = self.read(self.limit_rows if whole else None).reset_index(drop=True)
            if not whole:
                drawn = np.random.default_rng(self.limit_seed).permutation(len(frame))[: self.limit_rows]
                frame = frame.iloc[np.sort(drawn)]
            self._frame = frame
        return self._frame

    @cached_property
    def _divided(self) -> "_Divided":
        frame = self.table()
        target = self.target.encode(frame, self.source)
        self.encoder.check(frame, self.source)
        copies = row_fingerprints(frame[self._feature_columns], target)
        strata = self.target.strata(target) if self.stratify else None
        split = self.divide(frame, strata, self._groups(frame, copies))
        parts = {"training": split.train, "validation": split.validation, "test": split.test}
        self.target.check_parts({name: target[rows] for name, rows in parts.items()}, self.source)
        duplicates = count_duplicates_across(copies, split)
        if duplicates:
            rank_zero_info(
                f"{duplicates} of {len(split.validation) + len(split.test)} validation and test rows of "
                f"{self.source} repeat a training row; keep_duplicates_together=true keeps copies on one side"
            )
        self.encoder.fit(frame.iloc[split.train], self.source)
        divided = _Divided(split, torch.from_numpy(target), duplicates, _digest(split, self.limit_seed))
        self._apply_restored(divided)
        return divided

    @property
    def _feature_columns(self) -> list[str]:
        return [*self.encoder.numeric, *self.encoder.levels]

    def _groups(self, frame: "pd.DataFrame", fingerprints: np.ndarray) -> np.ndarray | None:
        group = None if self.group is None else group_labels(frame[self.group], self.source)
        if not self.keep_duplicates_together:
            return group
        copies = np.unique(fingerprints, return_inverse=True)[1]
        return copies if group is None else connected_labels(group, copies)

    # What was fitted, and how it travels.

    def fitted_state(self) -> dict[str, Any]:
        """Return what was fitted on the training rows, as plain lists and numbers."""
        self.setup()
        return dict(self.encoder.fitted)

    def state_dict(self) -> dict[str, Any]:
        """Return what was fitted and a digest of the rows it was fitted on, for the checkpoint."""
        return {"fitted": self.fitted_state(), "training_rows": self._divided.digest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was fitted when the checkpoint was written.

        Raises:
            InputError: If it was fitted to other columns.
        """
        self._restored = state_dict
        self._apply_restored(self._divided)

    def _apply_restored(self, divided: "_Divided") -> None:
        if self._restored is None:
            return
        state, self._restored = self._restored, None
        if state["training_rows"] != divided.digest:
            rank_zero_warn(
                f"the checkpoint was not trained on the training rows that {self.source} has under "
                "these options: "
                "validation and test rows may be rows it was trained on"
            )
        if state["fitted"] != self.encoder.fitted:
            self.encoder.restore(state["fitted"])
            self._features = None

    # Loaders.

    def train_dataloader(self) -> InMemoryLoader:
        """Return the shuffled training batches."""
        seed = global_seed() if self.shuffle_seed is None else self.shuffle_seed
        # overfit_batches asks for the same batches in every epoch.
        shuffle = not getattr(self.trainer, "overfit_batches", 0)
        return self._loader(self.rows.train, shuffle=shuffle, seed=seed, drop_last=self.drop_last)

    def val_dataloader(self) -> InMemoryLoader | list[Any]:
        """Return the validation batches; an empty list, which Lightning skips, if no rows validate."""
        rows = self.rows.validation
        if len(rows):
            return self._loader(rows)
        # No validation was asked for, so there is nothing to make sure of:
        # https://github.com/Lightning-AI/pytorch-lightning/blob/2.6.6/src/lightning/pytorch/utilities/data.py
        warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")
        return []

    def test_dataloader(self) -> InMemoryLoader:
        """Return the test batches.

        Raises:
            InputError: If `test_fraction` is 0.
        """
        rows = self.rows.test
        if not len(rows):
            raise InputError("test_fraction is 0: there are no test rows")
        return self._loader(rows)

    def predict_dataloader(self) -> InMemoryLoader:
        """Return every row in the order of the file, as `(x, y)`; rows of `predict_path` as `x` alone."""
        self.setup()
        if self.predict_path is None:
            return self._loader(np.arange(len(self._divided.target)))
        frame = self.read_new(self.predict_path)
        return self._batches([torch.from_numpy(self.encoder.transform(frame, self.predict_path))])

    def _loader(self, rows: np.ndarray, **options: Any) -> InMemoryLoader:
        target = self._divided.target
        if self._features is None:
            self._features = torch.from_numpy(self.encoder.transform(self.table(), self.source))
            self._frame = None
        index = torch.from_numpy(rows)
        return self._batches([self._features.index_select(0, index), target.index_select(0, index)], **options)

    def _batches(self, tensors: list[Tensor], **options: Any) -> InMemoryLoader:
        # A strategy that splits the model over devices has fewer data ranks than processes; it knows which.
        ranks = (self.trainer.distributed_sampler_kwargs if self.trainer is not None else None) or {}
        place = {"rank": ranks.get("rank", 0), "world_size": ranks.get("num_replicas", 1)}
        return InMemoryLoader(tensors, self.batch_size, **place, **options)


@dataclass(frozen=True)
class _Divided:
    """What `setup` found."""

    split: Split
    target: Tensor
    duplicates: int
    digest: str


def _digest(split: Split, limit_seed: int | None) -> str:
    """Return a checksum of the training rows and of the number of rows they were chosen from."""
    parts = (split.train, split.validation, split.test)
    digest = hashlib.sha256(np.sort(split.train).astype("<i8").tobytes())
    digest.update(repr((sum(map(len, parts)), limit_seed)).encode())
    return digest.hexdigest()
