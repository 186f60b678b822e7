"""Rows of a text file or of a table in memory, each with its line, so that an error can name it."""

import csv
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Header", "SourceFile", "TableLike", "TextTable", "read_names", "read_table", "read_text", "split_header"]

Header: TypeAlias = bool | Literal["auto"]
# A name in quotes takes no bar: pandas is imported by type checkers alone.
TableLike: TypeAlias = Union[str, os.PathLike[str], Iterable[Sequence[object]], "pd.DataFrame"]

_IN_MEMORY = "(table in memory)"

# What the first row of a file holds if it names columns.
_HEADER_WORDS = {
    *("parent", "child", "source", "target", "from", "to", "pre", "post", "type", "synapses", "weight", "count"),
    *("input", "translation", "gene", "gene_id", "protein", "uniprot", "ensembl", "feature", "pathway", "pathway_id"),
    *("term", "term_id", "go_id", "id", "name", "species", "layer", "node"),
}


@dataclass(frozen=True)
class SourceFile:
    """A file that a structure was made from.

    Args:
        name: Name of the file, without its folder.
        sha256: Hash of its bytes; of its cells, where the table was given in memory.

    Example:
        >>> SourceFile("pathways.tsv", "0" * 64).name
        'pathways.tsv'
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class TextTable:
    """Rows of cells without surrounding spaces, and the line of each.

    Args:
        source: The file and its hash.
        lines: Line of each row in the file, from 1.
        rows: Cells of each row.
        header: Names of the columns, or None.
    """

    source: SourceFile
    lines: list[int]
    rows: list[list[str]]
    header: list[str] | None = None

    def where(self, row: int) -> str:
        """Return the file and line of a row, for an error."""
        return f"{self.source.name} line {self.lines[row]}"

    def column(self, place: int) -> list[str]:
        """Return one column."""
        return [row[place] for row in self.rows]


def read_text(path: str | os.PathLike[str]) -> tuple[str, SourceFile]:
    """Return the text of a file, which may be gzipped, and its stamp.

    Raises:
        InputError: If there is no such file, or it is damaged, empty or no text.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the path of an existing file")
    content = path.read_bytes()
    source = SourceFile(path.name, hashlib.sha256(content).hexdigest())
    try:
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged or no text file ({error}); get it again from its source") from error
    if not text.strip():
        raise InputError(f"{path} is empty; get it again from its source")
    return text, source


def read_table(given: TableLike, columns: int | None = None, delimiter: str | None = None) -> TextTable:
    """Read rows of cells from a file (tab, comma or semicolon; also gzipped), a data frame or rows in memory.

    Args:
        given: Path, data frame or iterable of rows.
        columns: Least number of cells a row must have; every row must have as many cells as the first.
        delimiter: What stands between cells; None takes what the first line holds.

    Raises:
        InputError: If a row has another number of cells than the first, naming its line.
    """
    if isinstance(given, (str, os.PathLike)):
        text, source = read_text(given)
        delimiter = delimiter or _delimiter(text)
        table = TextTable(source, *_cells(text, delimiter))
    else:
        table = _in_memory(given)
    _check_widths(table, columns)
    return table


def read_names(path: str | os.PathLike[str]) -> list[str]:
    r"""Return the names in a file: one per line, or the first column of a table with a header.

    Args:
        path: A list of names, or a table (tab, comma or semicolon between cells; also gzipped).

    Raises:
        InputError: If the file cannot be read or a row of the table has no name.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "quantities.csv"
        >>> _ = path.write_text("Protein,patient_1\nP02768,20.1\nP01009,18.5\n")
        >>> read_names(path)
        ['P02768', 'P01009']
    """
    table = read_table(path)
    rows = table.rows if len(table.rows[0]) == 1 else table.rows[1:]
    for number, row in enumerate(rows, len(table.rows) - len(rows)):
        if not row[0]:
            raise InputError(f"{table.where(number)} has no name in its first cell; give every row a name")
    return [row[0] for row in rows]


def split_header(table: TextTable, header: Header, is_data: Callable[[list[str]], bool] | None = None) -> TextTable:
    """Take the first row for names of columns, or for data, and refuse what contradicts the file.

    Args:
        table: Rows; a table that has a header already (a data frame) is returned as it is.
        header: True, False, or "auto": the first row is a header if a cell is a usual name of a column.
        is_data: Whether a row is data by the form of its cells; None: whether a cell occurs in another row, too.

    Raises:
        InputError: If `header` is True and the first row is data, or False and it names columns; with "auto", if
            neither can be told.
    """
    if table.header is not None or not table.rows:
        return table
    first, name = table.rows[0], table.source.name
    words = any(cell.lower() in _HEADER_WORDS for cell in first)
    data = is_data(first) if is_data else _recurs(first, table.rows[1:])
    shown = ", ".join(first[:3])
    if header is True and data and not words:
        raise InputError(f"{name} line 1 holds data ({shown}) and no names of columns; read it with header=False")
    if header is False and words and not data:
        raise InputError(f"{name} line 1 holds names of columns ({shown}) and no data; read it with header=True")
    unsure = header == "auto" and not words and not data and len(table.rows) > 1
    if unsure and table.source.name != _IN_MEMORY:  # who writes rows in a program writes no header
        raise InputError(
            f"{name} line 1 ({shown}) looks like no other line; give header=True if it names the columns, else mend it "
            "or give header=False"
        )
    if header is True or (header == "auto" and words and not data):
        return TextTable(table.source, table.lines[1:], table.rows[1:], first)
    return table


def _recurs(first: list[str], rows: list[list[str]]) -> bool:
    cells = {cell for cell in first if cell and not cell.replace(".", "").isdigit()}
    return any(not cells.isdisjoint(row) for row in rows)


def _delimiter(text: str) -> str:
    line = next(line for line in text.splitlines() if line.strip())
    return next((mark for mark in "\t,;" if mark in line), "\t")


def _cells(text: str, delimiter: str) -> tuple[list[int], list[list[str]]]:
    # A quote is an ordinary character in tab-separated files: names hold inches and primes.
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, quoting=quoting)
    lines, rows = [], []
    for row in reader:
        if row and any(map(str.strip, row)):
            lines.append(reader.line_num)
            rows.append([cell.strip() for cell in row])
    return lines, rows


def _in_memory(given: "pd.DataFrame | Iterable[Sequence[object]]") -> TextTable:
    header: list[str] | None = None
    if hasattr(given, "columns"):
        frame: pd.DataFrame = given  # type: ignore[assignment]
        # pandas' word for a column without a name
        header = ["" if str(name).startswith("Unnamed: ") else str(name).strip() for name in frame.columns]
        given = frame.astype(object).where(frame.notna(), "").itertuples(index=False, name=None)
    rows = [[str(cell).strip() for cell in row] for row in given]
    if not rows:
        raise InputError("the table given has no rows; give at least one")
    content = "\n".join("\t".join(row) for row in rows).encode()
    source = SourceFile(_IN_MEMORY, hashlib.sha256(content).hexdigest())
    return TextTable(source, list(range(1, len(rows) + 1)), rows, header)


def _check_widths(table: TextTable, columns: int | None) -> None:
    expected = len(table.rows[0])
    if columns is not None and expected < columns:
        raise InputError(f"{table.where(0)} has {expected} cells; this table needs {columns} or more")
    for number, row in enumerate(table.rows):
        if len(row) != expected:
            raise InputError(f"{table.where(number)} has {len(row)} cells where line 1 has {expected}; mend that line")
