"""From columns to numbers. Everything fitted here is fitted on training rows, and can be stored and restored.

Shapes: N rows, F features of the encoded table.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..datasets import read_table
from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UNKNOWN", "TableEncoder", "column_levels", "numeric_values", "prediction_table", "text_values"]

UNKNOWN = "unknown"
Missing = Literal["error", "median"]
Scale = Literal["standard", "none"]


@dataclass
class TableEncoder:
    """Encode a table: numeric columns scaled, then each categorical column as one-hot columns.

    Args:
        numeric: Names of the numeric columns.
        levels: Levels of each categorical column, as in the whole file; a level that training rows lack,
            or that only another file has, is encoded as `unknown`.
        missing: "error" refuses missing cells; "median" fills a numeric one with the median of the
            training rows and takes a categorical one as `unknown`.
        scale: "standard" subtracts the training mean and divides by the training standard deviation; "none".

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"size": [1.0, 3.0], "kind": ["a", "b"]})
        >>> encoder = TableEncoder(["size"], {"kind": ("a", "b")}).fit(frame.iloc[:1], "cells.csv")
        >>> encoder.feature_names
        ['size', 'kind=a', 'kind=b', 'kind=unknown']
        >>> encoder.transform(frame, "cells.csv").tolist()
        [[0.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 1.0]]
    """

    numeric: list[str]
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing: Missing = "error"
    scale: Scale = "standard"
    fitted: dict[str, Any] = field(default_factory=dict)

    @property
    def feature_names(self) -> list[str]:
        """Names of the encoded columns; `kind=a` for level a of column kind."""
        one_hot = [f"{name}={level}" for name, levels in self.levels.items() for level in (*levels, UNKNOWN)]
        return [*self.numeric, *one_hot]

    def fit(self, frame: "pd.DataFrame", path: str) -> "TableEncoder":
        """Fit medians, scaler and known levels on training rows.

        Raises:
            InputError: As `numeric_values` and `text_values`, and if a column to be filled has no value at
                all.
        """
        values = numeric_values(frame, self.numeric, path, self.missing)
        medians = self._medians(values, path)
        mean, deviation = np.zeros(len(self.numeric)), np.ones(len(self.numeric))
        if self.scale == "standard" and self.numeric:
            from sklearn.preprocessing import StandardScaler

            scaler = StandardScaler().fit(np.where(np.isnan(values), medians, values))
            mean, deviation = np.asarray(scaler.mean_), np.asarray(scaler.scale_)
        known = {}
        for name, levels in self.levels.items():
            column: Any = frame[name]
            seen = set(text_values(column, path, self.missing))
            known[name] = [level for level in levels if level in seen]
        self.fitted = {
            "feature_names": self.feature_names,
            "median": medians.tolist(),
            "mean": mean.tolist(),
            "scale": deviation.tolist(),
            "levels": known,
        }
        return self

    def check(self, frame: "pd.DataFrame", path: str) -> None:
        """Look at every row in the order of the file, so that a message names the first bad one.

        Raises:
            InputError: As `numeric_values` and `text_values`.
        """
        numeric_values(frame, self.numeric, path, self.missing)
        for name in self.levels:
            column: Any = frame[name]
            text_values(column, path, self.missing)

    def _medians(self, values: np.ndarray, path: str) -> np.ndarray:
        absent = np.isnan(values).all(axis=0)
        if len(values) and absent.any():
            name = self.numeric[int(absent.argmax())]
            raise InputError(f"column '{name}' of {path} has no value in the training rows; leave the column out")
        return np.nanmedian(values, axis=0) if values.size else np.zeros(len(self.numeric))

    def transform(self, frame: "pd.DataFrame", path: str) -> np.ndarray:
        """Encode rows as float32 (N, F), computed in float64.

        Raises:
            InputError: As `numeric_values` and `text_values`.
        """
        values = numeric_values(frame, self.numeric, path, self.missing)
        values = np.where(np.isnan(values), self.fitted["median"], values)
        values = (values - np.asarray(self.fitted["mean"])) / np.asarray(self.fitted["scale"])
        blocks = [values.astype(np.float32)]
        for name, levels in self.levels.items():
            known = set(self.fitted["levels"][name])
            position = {level: index for index, level in enumerate(levels) if level in known}
            column: Any = frame[name]
            texts = text_values(column, path, self.missing)
            index = [position.get(text, len(levels)) for text in texts]
            blocks.append(np.eye(len(levels) + 1, dtype=np.float32)[index])
        return np.concatenate(blocks, axis=1)

    def restore(self, fitted: dict[str, Any]) -> None:
        """Take over what another encoder was fitted to.

        Raises:
            InputError: If it was fitted to other columns.
        """
        theirs, ours = fitted["feature_names"], self.feature_names
        if theirs != ours:
            other = next((a for a, b in zip(theirs, ours, strict=False) if a != b), None)
            detail = f" (first difference: '{other}')" if other is not None else ""
            raise InputError(
                f"the checkpoint was fitted to {len(theirs)} features and the table has {len(ours)}{detail}; "
                "the columns must be the same"
            )
        self.fitted = fitted


def numeric_values(frame: "pd.DataFrame", names: list[str], path: str, missing: Missing = "error") -> np.ndarray:
    """Return columns as float64 (N, len(names)); missing cells are NaN.

    Args:
        frame: The rows; its index holds their numbers in the file, from 0.
        names: The columns.
        path: Name of the file, for messages.
        missing: "median" lets missing cells through.

    Raises:
        InputError: At the first text, infinite or (unless let through) missing cell, naming column and row.

    Example:
        >>> import pandas as pd
        >>> numeric_values(pd.DataFrame({"size": ["1", "XL"]}), ["size"], "a.csv")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: text 'XL' in row 2 of column 'size' of a.csv; list it as categorical?
    """
    import pandas as pd

    chosen: Any = frame[names]
    if all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in chosen.dtypes):
        values = chosen.to_numpy(dtype=np.float64)
        if np.isfinite(values).all():  # the usual case: thousands of columns, and nothing to say about any of them
            return values
    values = np.empty((len(frame), len(names)))
    for position, name in enumerate(names):
        column = frame[name]
        numbers: Any = column
        if not pd.api.types.is_numeric_dtype(column):
            numbers = pd.to_numeric(column, errors="coerce")
            text = (numbers.isna() & column.notna()).to_numpy()
            if text.any():
                row = int(text.argmax())
                raise InputError(
                    f"text '{column.iloc[row]}' in row {_number(frame, row)} of column '{name}' of {path}; "
                    "list it as categorical?"
                )
        values[:, position] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        _refuse(np.isinf(values[:, position]), "infinite", name, path, frame)
        if missing == "error":
            _refuse(np.isnan(values[:, position]), "missing", name, path, frame)
    return values


def text_values(column: "pd.Series", path: str, missing: Missing = "error") -> list[str]:
    """Return a column's cells as text, whole numbers without a decimal point, missing cells as `unknown`.

    Raises:
        InputError: If a cell is missing and `missing` is "error".

    Example:
        >>> import pandas as pd
        >>> text_values(pd.Series([1.0, 2.5]), "cells.csv")
        ['1', '2.5']
    """
    absent = column.isna().to_numpy()
    if missing == "error":
        _refuse(absent, "missing", str(column.name), path, column)
    return [UNKNOWN if gone else _as_text(cell) for cell, gone in zip(column.tolist(), absent, strict=True)]


def column_levels(column: "pd.Series") -> tuple[str, ...]:
    """Return the distinct values of a column as text, numbers by size, text by alphabet.

    Example:
        >>> import pandas as pd
        >>> column_levels(pd.Series([10, 9, 10]))
        ('9', '10')
    """
    values = column.dropna().unique().tolist()
    numeric = all(isinstance(value, (int, float)) for value in values)
    return tuple(dict.fromkeys(_as_text(value) for value in sorted(values, key=None if numeric else _as_text)))


def prediction_table(path: str, columns: list[str]) -> "pd.DataFrame":
    r"""Read a table to predict for: it must have the feature columns, in any order, and may have others.

    A table without a header must have the features in order, and nothing else but a last column (a target).

    Raises:
        InputError: If a feature column is absent.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "new.csv"
        >>> _ = path.write_text("kind,size\na,1.5\n")
        >>> prediction_table(str(path), ["size"]).columns.tolist()
        ['size']
    """
    frame = read_table(path)
    headerless = frame.columns[0] == "column_0" and "column_0" not in columns
    if headerless and frame.shape[1] in (len(columns), len(columns) + 1):
        return frame.iloc[:, : len(columns)].set_axis(columns, axis="columns")
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise InputError(
            f"predict_path {path} lacks {len(absent)} of the {len(columns)} feature columns, first '{absent[0]}'"
        )
    return frame.loc[:, columns]


def _number(rows: "pd.DataFrame | pd.Series", position: int) -> int:
    """Return the row's number in the file, counted from 1."""
    return int(rows.index.to_numpy()[position]) + 1


def _as_text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _refuse(bad: np.ndarray, what: str, name: str, path: str, rows: "pd.DataFrame | pd.Series") -> None:
    if not bad.any():
        return
    first = [str(_number(rows, row)) for row in np.flatnonzero(bad)[:3]]
    more = ", ..." if bad.sum() > len(first) else ""
    remedy = "set missing to 'median', or remove them" if what == "missing" else "remove them"
    count = int(bad.sum())
    raise InputError(
        f"column '{name}' of {path} holds {count} {what} cell{'s' if count > 1 else ''} "
        f"(row{'s' if count > 1 else ''} {', '.join(first)}{more}); {remedy}"
    )
