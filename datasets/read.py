"""Read a table from CSV, TSV or Parquet, and say in one sentence what is wrong with a file that is none."""

import csv
import difflib
import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UNNAMED", "column_names", "read_table"]

Header = bool | Literal["auto"]

_PARQUET = (".parquet", ".pq")
_TEXT = (".csv", ".tsv", ".tab", ".data", ".txt")
_DELIMITERS = (",", "\t", ";")
UNNAMED = "Unnamed: "  # what pandas, too, calls a column without a name


@dataclass(frozen=True)
class _Layout:
    """How a text file is to be read."""

    names: list[str]
    header: bool
    delimiter: str


def column_names(path: str | os.PathLike[str], header: Header = "auto") -> list[str]:
    r"""Return the names of a table's columns, reading no more than its first two rows.

    Args:
        path: A CSV, TSV (both may be gzipped) or Parquet file.
        header: Whether the first row of a text file holds names. "auto": it does if some column holds text
            there and a number in the second row, or if none of its cells is a number. Without one, columns
            are called `column_0`, `column_1`, ...

    Raises:
        InputError: If the file is missing, damaged, empty or of another kind, or names a column twice.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "cells.csv"
        >>> _ = path.write_text("size,kind\n1.5,a\n2.5,b\n")
        >>> column_names(path)
        ['size', 'kind']
        >>> column_names(path, header=False)
        ['column_0', 'column_1']
    """
    path = _existing(path)
    if _kind(path) == "parquet":
        return _checked_names(_parquet_names(path), path)
    return _layout(path, header).names


def read_table(path: str | os.PathLike[str], header: Header = "auto", limit_rows: int | None = None) -> "pd.DataFrame":
    r"""Read a table; with `limit_rows`, only that many rows from its start.

    Args:
        path: A CSV, TSV (both may be gzipped) or Parquet file.
        header: As in `column_names`.
        limit_rows: Number of rows to read; None reads all.

    Raises:
        InputError: As `column_names`, and if the table has no rows.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "cells.csv"
        >>> _ = path.write_text("size,kind\n1.5,a\n2.5,b\n")
        >>> read_table(path).shape
        (2, 2)
    """
    path = _existing(path)
    frame = _read_parquet(path) if _kind(path) == "parquet" else _read_text(path, header, limit_rows)
    if frame.empty:
        raise InputError(f"{path} has no rows")
    return frame if limit_rows is None else frame.iloc[:limit_rows]


def _existing(path: str | os.PathLike[str]) -> Path:
    path = Path(path).expanduser()
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a table")
    if not path.is_file():
        siblings = [sibling.name for sibling in path.parent.glob("*")] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, siblings, n=1)
        raise InputError(f"there is no file {path}" + (f"; did you mean {near[0]}?" if near else ""))
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    return path


def _kind(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(_PARQUET):
        return "parquet"
    if name.removesuffix(".gz").endswith(_TEXT):
        return "text"
    kinds = ", ".join((*_TEXT, *_PARQUET))
    raise InputError(f"{path} is no table this reads by its name; known endings: {kinds} (text also with .gz)")


def _checked_names(names: list[str], path: Path) -> list[str]:
    names = [name.strip() or f"{UNNAMED}{index}" for index, name in enumerate(names)]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InputError(f"{path} names more than one column '{twice[0]}'; column names must differ")
    return names


def _parquet_names(path: Path) -> list[str]:
    from pyarrow import ArrowException, parquet

    try:
        return list(parquet.read_schema(path).names)
    except (ArrowException, OSError) as error:
        raise InputError(f"{path} is no readable Parquet file ({_first_line(error)})") from error


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pandas as pd
    from pyarrow import ArrowException

    names = _checked_names(_parquet_names(path), path)
    try:
        frame = pd.read_parquet(path)
    except (ArrowException, OSError) as error:
        raise InputError(f"{path} is no readable Parquet file ({_first_line(error)})") from error
    if len(frame.columns) != len(names):
        # An index that pandas stored as a column of its own, which it gives such a name if it has none.
        levels = [name or f"__index_level_{level}__" for level, name in enumerate(frame.index.names)]
        frame = frame.rename_axis(levels).reset_index().loc[:, _parquet_names(path)]
    return frame.set_axis(names, axis="columns")


def _read_text(path: Path, header: Header, limit_rows: int | None) -> "pd.DataFrame":
    import pandas as pd

    layout = _layout(path, header)
    try:
        return pd.read_csv(
            path,
            sep=layout.delimiter,
            header=0 if layout.header else None,
            names=layout.names,
            index_col=False,
            encoding="utf-8-sig",
            low_memory=False,
            nrows=limit_rows,
            skipinitialspace=True,
        )
    except pd.errors.ParserError as error:
        raise InputError(f"{path} is no well-formed table ({_first_line(error)})") from error
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error


def _layout(path: Path, header: Header) -> _Layout:
    try:
        with _open(path) as stream:
            line = next((line for line in stream if line.strip()), "")
            delimiter = _delimiter(path, line)
            rows = list(csv.reader([line, *_lines(stream, 1)], delimiter=delimiter))
    except (EOFError, OSError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, error) from error
    if not any(rows):
        raise InputError(f"{path} is empty")
    if len(rows) > 1 and len(rows[1]) > len(rows[0]):
        raise InputError(
            f"{path} has {len(rows[0])} columns in its first row and {len(rows[1])} in the second; "
            "each row must have the same number"
        )
    has_header = _looks_like_header(rows) if header == "auto" else header
    names = rows[0] if has_header else [f"column_{index}" for index in range(len(rows[0]))]
    return _Layout(_checked_names(names, path), has_header, delimiter)


def _open(path: Path) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _lines(stream: TextIO, count: int) -> list[str]:
    """Return the next non-blank lines."""
    found: list[str] = []
    for line in stream:
        if line.strip():
            found.append(line)
        if len(found) == count:
            break
    return found


def _delimiter(path: Path, line: str) -> str:
    if path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab")):
        return "\t"
    return max(_DELIMITERS, key=line.count)


def _looks_like_header(rows: list[list[str]]) -> bool:
    first = [_is_number(cell) for cell in rows[0]]
    if len(rows) > 1 and any(
        _is_number(below) and not above and cell.strip()
        for cell, above, below in zip(rows[0], first, rows[1], strict=False)
    ):
        return True
    return not any(first)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    # "nan" and "inf" name columns as rarely as they fill a first row.
    return True


def _damaged(path: Path, error: BaseException) -> InputError:
    if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
        return InputError(f"{path} is a truncated or damaged gzip file ({_first_line(error)})")
    if isinstance(error, UnicodeDecodeError):
        return InputError(f"{path} is no UTF-8 text (byte {error.start}: {error.reason})")
    return InputError(f"{path} cannot be read ({_first_line(error)})")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
