"""Describe a table file before training on it: shape, classes, duplicates, missing cells, checksum."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .read import Header, read_table

__all__ = ["TableReport", "check_table", "find_column"]

_MANY_VALUES = 20


@dataclass(frozen=True)
class TableReport:
    r"""What `check_table` found.

    Attributes:
        path: The file.
        num_rows: Rows, the header not counted.
        num_columns: Columns, the target counted.
        target: Name of the target column.
        counts: Rows per value of the target, the most frequent first; empty if it has more than 20 values.
        duplicate_rows: Rows that repeat an earlier row in every cell.
        missing_cells: Missing cells per column, only columns that have some.
        text_columns: Columns that hold text.
        sha256: Checksum of the file.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("table.csv").write_text("age,sick\n40,yes\n40,yes\n,no\n")
        >>> report = check_table("table.csv", target="sick")
        >>> report.num_rows, report.duplicate_rows, report.missing_cells
        (3, 1, {'age': 1})
    """

    path: Path
    num_rows: int
    num_columns: int
    target: str
    counts: dict[str, int]
    duplicate_rows: int
    missing_cells: dict[str, int]
    text_columns: tuple[str, ...]
    sha256: str

    def __str__(self) -> str:
        shares = ", ".join(
            f"{value}: {count} ({100 * count / self.num_rows:.1f} %)" for value, count in self.counts.items()
        )
        missing = ", ".join(f"{name}: {count}" for name, count in self.missing_cells.items())
        return "\n".join(
            [
                f"file             {self.path}",
                f"sha256           {self.sha256}",
                f"rows x columns   {self.num_rows:,} x {self.num_columns}",
                f"target           {self.target} ({shares or f'more than {_MANY_VALUES} values'})",
                f"duplicate rows   {self.duplicate_rows}",
                f"missing cells    {missing or 'none'}",
                f"text columns     {', '.join(self.text_columns) or 'none'}",
            ]
        )


def check_table(path: str | os.PathLike[str], target: int | str = -1, header: Header = "auto") -> TableReport:
    r"""Read a table file and describe it.

    Args:
        path: A CSV, TSV (both may be gzipped) or Parquet file.
        target: Name or index of the target column; negative indices count from the end.
        header: Whether a text file has a header row, see `column_names`.

    Raises:
        InputError: If the file cannot be read or has no such column.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "cells.csv"
        >>> _ = path.write_text("size,kind\n1.5,a\n2.5,b\n1.5,a\n")
        >>> report = check_table(path)
        >>> report.counts, report.duplicate_rows
        ({'a': 2, 'b': 1}, 1)
    """
    import pandas as pd

    frame = read_table(path, header)
    name = find_column(list(frame.columns), target, "target", path)
    counts = frame[name].value_counts()
    missing = frame.isna().sum()
    return TableReport(
        path=Path(path),
        num_rows=len(frame),
        num_columns=frame.shape[1],
        target=name,
        counts={str(value): int(count) for value, count in counts.items()} if len(counts) <= _MANY_VALUES else {},
        duplicate_rows=int(frame.duplicated().sum()),
        missing_cells={str(column): int(count) for column, count in missing.items() if count},
        text_columns=tuple(str(column) for column in frame.columns if not pd.api.types.is_numeric_dtype(frame[column])),
        sha256=_sha256(Path(path)),
    )


def find_column(names: list[str], column: int | str, key: str, path: str | os.PathLike[str]) -> str:
    """Return the name of the column that was asked for by name or by index.

    Raises:
        InputError: If there is none; the message suggests the nearest names.

    Example:
        >>> find_column(["size", "kind"], -1, "target", "cells.csv")
        'kind'
    """
    import difflib

    if isinstance(column, int) and not isinstance(column, bool):
        if -len(names) <= column < len(names):
            return names[column]
        raise InputError(f"{key} is {column}, but {path} has {len(names)} columns")
    if column in names:
        return column
    near = difflib.get_close_matches(str(column), names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"its columns are {_shortened(names)}"
    raise InputError(f"{key} is '{column}', which is no column of {path}; {hint}")


def _shortened(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:6])}, ..., {names[-1]}"


def _sha256(path: Path) -> str:
    with path.expanduser().open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
