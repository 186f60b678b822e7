"""Read one column of a table as the text that stands there: `001` stays `001`, `NA` stays `NA`."""

import csv
import os
import zlib

from ..errors import InputError
from .check import find_column
from .read import Header, _damaged, _existing, _kind, _layout, _open, column_names, read_table

__all__ = ["read_text_column"]


def read_text_column(path: str | os.PathLike[str], column: int | str, header: Header = "auto") -> list[str]:
    r"""Return the cells of one column as text, without spaces around them; an empty cell is an empty string.

    Args:
        path: A CSV, TSV (both may be gzipped) or Parquet file.
        column: Name or index of the column.
        header: As in `column_names`.

    Raises:
        InputError: As `column_names`, and if a row has more or fewer cells than there are columns.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "cells.csv"
        >>> _ = path.write_text("cell,size\n001,1.5\nNA,2.5\n")
        >>> read_text_column(path, "cell")
        ['001', 'NA']
    """
    path = _existing(path)
    names = column_names(path, header)
    name = find_column(names, column, "column", path)
    if _kind(path) == "parquet":
        cells = read_table(path)[name]
        return cells.astype(object).where(cells.notna(), "").map(lambda cell: str(cell).strip()).tolist()
    layout, position, found = _layout(path, header), names.index(name), []
    try:
        with _open(path) as stream:
            rows = (row for row in csv.reader(stream, delimiter=layout.delimiter) if any(map(str.strip, row)))
            for number, row in enumerate(rows, 0 if layout.header else 1):
                if len(row) != len(names):
                    raise InputError(
                        f"row {number} of {path} has {len(row)} cells, but there are {len(names)} columns; "
                        "each row must have a cell for each column"
                    )
                if number:
                    found.append(row[position].strip())
    except (EOFError, OSError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, error) from error
    return found
