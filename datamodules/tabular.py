"""Any table of your own."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..datasets import column_names, find_column, read_table
from ..datasets.read import UNNAMED
from ..errors import InputError
from .encoding import TableEncoder, column_levels
from .table import TableDataModule
from .targets import Target, TaskName, check_task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TabularData"]

Columns = list[int | str]


class TabularData(TableDataModule):
    r"""A CSV, TSV or Parquet file (text also gzipped): one row per sample, one column to predict.

    Columns can be named, or given by index; negative indices count from the end. All options of splitting and
    batching are those of `TableDataModule`.

    Args:
        path: The file.
        target: The column to predict.
        task: "binary" (two labels, or `positive` against the rest), "multiclass" or "regression".
        numeric: Numeric feature columns. None: if `categorical` is a list or None, all columns but target,
            group and categorical ones; if "auto", all columns of numbers.
        categorical: Feature columns with levels, which become one-hot columns `name=level` and
            `name=unknown`. "auto" takes every column that holds text; None takes none, so that text is an
            error.
        group: Column whose equal values (one patient, one site) stay on one side of a split; it is no
            feature.
        positive: For a binary task: the label, or labels, of class 1; all others are class 0. None: of two
            labels, the larger number or the later in the alphabet.
        header: Whether the first row holds names; "auto" looks at the first two rows.
        **options: See `TableDataModule`.

    Raises:
        InputError: If the file is missing or damaged, or a column is not in it or given two roles.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/cells.csv"
        >>> rows = [f"{i},{'ab'[i % 2]},{'no' if i < 10 else 'yes'}\n" for i in range(20)]
        >>> with open(path, "w") as stream:
        ...     _ = stream.write("size,kind,infected\n" + "".join(rows))
        >>> data = TabularData(path, categorical=["kind"], val_fraction=0.2, batch_size=8)
        >>> data.feature_names, data.class_names
        (['size', 'kind=a', 'kind=b', 'kind=unknown'], ['no', 'yes'])
        >>> data.setup()
        >>> x, y = next(iter(data.train_dataloader()))
        >>> x.shape, y.dtype
        (torch.Size([8, 4]), torch.int64)
    """

    def __init__(
        self,
        path: str,
        target: int | str = -1,
        task: TaskName = "binary",
        numeric: Columns | None = None,
        categorical: Columns | Literal["auto"] | None = None,
        group: int | str | None = None,
        positive: int | str | list[int | str] | None = None,
        header: bool | Literal["auto"] = "auto",
        **options: Any,
    ) -> None:
        path = os.fspath(path)
        super().__init__(**options)
        check_task(task)
        self.path = path
        self.header: bool | Literal["auto"] = header
        self.columns = column_names(path, header)
        self._target_column = find_column(self.columns, target, "target", path)
        self._group_column = None if group is None else find_column(self.columns, group, "group", path)
        if self._group_column == self._target_column:
            raise InputError(f"group is '{self._group_column}', which is the target; it must be another column")
        self._task: TaskName = task
        listed = positive if isinstance(positive, list) else [] if positive is None else [positive]
        self._positive = tuple(str(label) for label in listed)
        self._numeric = self._listed(numeric, "numeric")
        self._categorical = categorical if categorical == "auto" else self._listed(categorical, "categorical") or []
        self._check_roles()

    def _listed(self, columns: Columns | None, key: str) -> list[str] | None:
        if columns is None:
            return None
        names = [find_column(self.columns, column, key, self.path) for column in columns]
        for name in names:
            if name == self._target_column:
                raise InputError(f"{key} lists '{name}', which is the target; a feature must be another column")
            if name == self._group_column:
                raise InputError(f"{key} lists '{name}', which is the group column; a feature must be another column")
            if names.count(name) > 1:
                raise InputError(f"{key} lists '{name}' more than once")
        return names

    def _check_roles(self) -> None:
        both = set(self._numeric or []) & set(self._categorical)
        if both:
            raise InputError(f"'{min(both)}' is listed in both numeric and categorical; it can be only one")
        if not self._candidates():
            raise InputError(f"{self.path} has no feature column beside target '{self._target_column}'")
        unnamed = [name for name in self._candidates() if name.startswith(UNNAMED)]
        if unnamed and self._numeric is None:
            raise InputError(
                f"column {self.columns.index(unnamed[0]) + 1} of {self.path} has no name and may be a "
                "row number; "
                "name it, or list the features in 'numeric'"
            )

    def _candidates(self) -> list[str]:
        """Return the possible feature columns, in the order of the file."""
        taken = {self._target_column, self._group_column}
        if self._numeric is not None and self._categorical != "auto":
            return [name for name in self.columns if name in {*self._numeric, *self._categorical}]
        return [name for name in self.columns if name not in taken]

    @property
    def source(self) -> str:
        """The file."""
        return self.path

    @property
    def folders(self) -> list[Path]:
        """The folder of the file."""
        return [Path(self.path).parent]

    @property
    def group(self) -> str | None:
        """Name of the group column, or None."""
        return self._group_column

    @cached_property
    def target(self) -> Target:
        """The target column; its labels are read from the file."""
        if self._task == "regression":
            return Target(self._target_column, "regression", positive=self._positive)
        return Target(self._target_column, self._task, self._levels(self._target_column), self._positive)

    def read(self, limit_rows: int | None = None) -> "pd.DataFrame":
        """Read the file, or its first rows."""
        return read_table(self.path, self.header, limit_rows)

    def make_encoder(self) -> TableEncoder:
        """Return the encoder, not yet fitted; levels are read from the file."""
        categorical: list[str] = []
        if isinstance(self._categorical, list):
            categorical = [str(name) for name in self._categorical]
        else:
            free = [name for name in self._candidates() if name not in (self._numeric or [])]
            categorical = [name for name in free if self._holds_text(name)]
        numeric = self._numeric
        if numeric is None:
            numeric = [name for name in self._candidates() if name not in categorical]
        levels = {name: self._levels(name) for name in categorical}
        return TableEncoder(numeric, levels, self.missing, self.scale)

    def _holds_text(self, name: str) -> bool:
        from pandas.api.types import is_numeric_dtype

        return not is_numeric_dtype(self.table()[name])

    def _levels(self, name: str) -> tuple[str, ...]:
        column: Any = self.table()[name]
        return column_levels(column)
