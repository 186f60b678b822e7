"""Gene expression of samples with labels: files of your own.

Shapes: G genes, C encoded columns of covariates.
"""

import logging
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from ...datasets import column_names, find_column, read_table
from ...errors import InputError, shown
from ..encoding import column_levels
from ..targets import Target, TaskName, check_task
from .covariates import Covariates
from .matrix import SampleMatrix
from .quantities import unique_names
from .sample_table import SampleTable, join_labels
from .split_files import SplitFile, find_split, read_split

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExpressionData"]

log = logging.getLogger(__name__)


class ExpressionData(SampleTable):
    r"""A matrix of samples x genes, and a label per sample, joined by the samples' names.

    The features are the G genes, then the covariates. What is fitted (scaler, medians, known levels) is fitted on
    training rows. How many samples match and which do not is logged and kept in `join`.

    Args:
        path: CSV, TSV (also gzipped) or Parquet: sample names in the first column (or the index that pandas stored),
            then a column per gene. Or an .h5ad file, sparse or dense, with the samples as observations.
        target: The column to predict.
        labels: Table with a row per sample that holds target, covariates and group. None takes columns of the
            matrix, or `obs` of an .h5ad file.
        sample: Column of `labels` that holds the samples' names, by name or index.
        task: "binary", "multiclass" or "regression".
        positive: For a binary task: the label, or labels, of class 1; see `TabularData`.
        covariates: Columns that are features too: numbers are scaled, text becomes one column per level
            (`stage=II`), always with `stage=unknown`.
        categorical: Those covariates that hold numbers but are levels.
        group: Column whose equal values (one patient) stay on one side of a split; it is no feature.
        layer: Layer of an .h5ad file; None takes its X.
        log_transform: Whether values become log2(x + 1), for counts or TPM.
        splits: Folder of `splits_0.csv`, `splits_1.csv`, ..., of which `fold` names one, or one such file: columns
            `train` and `val` (which then tests, and `val_fraction` of the training rows validate), or `train`,
            `val` and `test`.
        fold: The part that tests, 0 to `num_folds` - 1, or the number of the file in `splits`.
        num_folds: Number of parts for cross-validation; not with `splits`.
        **options: See `TableDataModule`. `predict_path` is a matrix of the same form.

    Raises:
        InputError: If a file is missing or damaged, names a sample or gene twice, has genes as rows, no sample has
            both, a label is missing, or an option is out of range.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> rows = [f"s{number},{number}.5,{number % 3}\n" for number in range(20)]
        >>> _ = (folder / "expression.csv").write_text("".join(["sample,TP53,EGFR\n", *rows]))
        >>> rows = [f"s{number},{'no' if number < 10 else 'yes'},{40 + number}\n" for number in range(20)]
        >>> _ = (folder / "labels.csv").write_text("".join(["sample,relapse,age\n", *rows]))
        >>> labels = str(folder / "labels.csv")
        >>> data = ExpressionData(str(folder / "expression.csv"), "relapse", labels, covariates=["age"])
        >>> data.feature_names, data.class_names
        (['TP53', 'EGFR', 'age'], ['no', 'yes'])
    """

    def __init__(
        self,
        path: str,
        target: int | str,
        labels: str | None = None,
        sample: int | str = 0,
        task: TaskName = "binary",
        positive: int | str | list[int | str] | None = None,
        covariates: list[str] | None = None,
        categorical: list[str] | None = None,
        group: int | str | None = None,
        layer: str | None = None,
        log_transform: bool = False,
        splits: str | None = None,
        fold: int | None = None,
        num_folds: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fold=fold if splits is None else None, num_folds=num_folds, **options)
        check_task(task)
        published = None if splits is None else _published(splits, fold, num_folds)
        self.log_transform = log_transform
        self._task: TaskName = task
        listed = positive if isinstance(positive, list) else [] if positive is None else [positive]
        self._positive = tuple(str(label) for label in listed)
        matrix = SampleMatrix.open(os.path.expanduser(path), layer)
        self.label_source = str(matrix.path) if labels is None else labels
        names = _beside_names(matrix, labels)
        self._target_column = self._find(names, target, "target", matrix)
        self._group_column = None if group is None else self._find(names, group, "group", matrix)
        chosen = self._roles(names, covariates or [], categorical or [])
        table = matrix.table() if labels is None else _read_labels(labels, sample)
        join = join_labels(matrix, table[self._target_column].astype(str).to_dict(), self.label_source)
        roles = [self._target_column, *chosen]
        roles += [] if self._group_column is None else [self._group_column]
        table = table.loc[list(join.groups), roles]
        found = Covariates.choose(table, chosen, categorical or [], self.missing, self.label_source)
        beside = labels is None and not matrix.annotated
        genes = [name for name in matrix.columns if not (beside and name in roles)]
        left_out = {"without a label": join.without_group, "without expression": join.without_quantities}
        self.unite(matrix, genes, table, join, found, left_out, published)
        self._check_target()
        self._report()

    def _find(self, names: list[str], column: int | str, key: str, matrix: SampleMatrix) -> str:
        if isinstance(column, str) and column not in names and column in matrix.samples:
            raise InputError(
                f"{key} '{column}' is a row of {matrix.path}, not a column; transpose the matrix so that each row is a "
                "sample (in pandas: frame.T.to_csv(path))"
            )
        return find_column(names, column, key, self.label_source)

    def _roles(self, names: list[str], covariates: list[str], categorical: list[str]) -> list[str]:
        """Return the covariates' columns, each in one role."""
        chosen = [find_column(names, name, "covariates", self.label_source) for name in covariates]
        taken = [("target", self._target_column), ("group", self._group_column)]
        if self._group_column == self._target_column:
            raise InputError(f"group is '{self._group_column}', which is the target; it must be another column")
        for name in chosen:
            role = next((role for role, column in taken if column == name), None)
            if role:
                raise InputError(f"covariates lists '{name}', which is the {role}; a covariate must be another column")
            if chosen.count(name) > 1:
                raise InputError(f"covariates lists '{name}' more than once")
        for name in categorical:
            if name not in chosen:
                raise InputError(f"categorical lists '{name}', which is not among the covariates; list it there too")
        return chosen

    def _check_target(self) -> None:
        column: Any = self.labels[self._target_column]
        absent = [str(name) for name in column.index[column.isna().to_numpy()]]
        if absent:
            raise InputError(
                f"target '{self._target_column}' of {self.label_source} is empty for {len(absent)} sample"
                f"{'s' if len(absent) > 1 else ''} ({shown(absent)}); fill it in or remove them"
            )
        if self._task == "regression":
            _refuse_text(column, self.label_source)
        _ = self.target

    @rank_zero_only
    def _report(self) -> None:
        level = logging.INFO if self.join.complete else logging.WARNING
        log.log(level, "%s (%s, %s)", self.join, self.matrix.path, self.label_source)
        self.covariates.report(self.label_source)

    @cached_property
    def target(self) -> Target:
        """The target column; its labels are those of the samples in use."""
        if self._task == "regression":
            return Target(self._target_column, "regression", positive=self._positive)
        column: Any = self.labels[self._target_column]
        return Target(self._target_column, self._task, column_levels(column), self._positive)

    @property
    def group(self) -> str | None:
        """Name of the group column, or None."""
        return self._group_column


def _refuse_text(column: Any, path: str) -> None:
    import pandas as pd

    numbers: Any = pd.to_numeric(column, errors="coerce")
    bad = ~np.isfinite(numbers.to_numpy(dtype=np.float64))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"target '{column.name}' of {path} is '{column.iloc[row]}' for sample '{column.index[row]}', which is no "
            "finite number; a regression needs numbers"
        )


def _published(splits: str, fold: int | None, num_folds: int | None) -> SplitFile:
    if num_folds is not None:
        raise InputError(f"num_folds is {num_folds}, but splits names the folds; give one of the two")
    return read_split(find_split(splits, fold))


def _beside_names(matrix: SampleMatrix, labels: str | None) -> list[str]:
    """Return the names of the columns that target, covariates and group are sought in."""
    if labels is not None:
        return column_names(labels, header=True)
    return [str(name) for name in matrix.table().columns] if matrix.annotated else matrix.columns


def _read_labels(path: str, sample: int | str) -> "pd.DataFrame":
    """Read a table of labels, with the samples' names, as text, as its index."""
    name = find_column(column_names(path, header=True), sample, "sample", path)
    return read_table(path, header=True).set_axis(unique_names(path, name), axis="index")
