"""Tables of text, for a terminal and for Markdown."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["in_words", "markdown", "rich_table"]

Rows = Sequence[Mapping[str, str]]


def rich_table(rows: Rows, title: str) -> "Table":
    """Return a table for a terminal; the keys of the first row are the columns.

    Example:
        >>> rich_table([{"site": "v", "units": "8"}], "record").row_count
        1
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, show_lines=True)
    for column in rows[0] if rows else ():
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(value) for value in row.values()))
    return table


def markdown(rows: Rows) -> str:
    """Return a table in Markdown.

    Example:
        >>> print(markdown([{"site": "v", "units": "8"}]))
        | site | units |
        |---|---|
        | v | 8 |
    """
    if not rows:
        return ""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    text = io.StringIO()
    for number, cells in enumerate(lines):
        text.write("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
        if number == 0:
            text.write("|" + "---|" * len(cells) + "\n")
    return text.getvalue().rstrip("\n")


def in_words(value: Any) -> str:
    """Return plain data in a few words: what is None or empty is left out, long lists are shortened.

    Example:
        >>> in_words({"window": {"start": 100, "stop": 1000}, "strength": 0.5})
        'window (start 100, stop 1000), strength 0.5'
        >>> in_words({"kind": "drive", "amount": 2.0})
        'drive (amount 2)'
        >>> in_words([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        '0, 1, 2, ... 9 (10)'
    """
    if isinstance(value, Mapping) and "kind" in value:
        rest = in_words({key: item for key, item in value.items() if key != "kind"})
        return f"{value['kind']} ({rest})" if rest else str(value["kind"])
    if isinstance(value, Mapping):
        given = {key: item for key, item in value.items() if item is not None and item != [] and item != {}}
        return ", ".join(f"{key} {_inside(item)}" for key, item in given.items())
    if isinstance(value, (list, tuple)):
        words = [in_words(item) for item in value]
        return ", ".join(words) if len(words) <= 8 else f"{', '.join(words[:3])}, ... {words[-1]} ({len(words)})"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _inside(value: Any) -> str:
    return f"({in_words(value)})" if isinstance(value, Mapping) else in_words(value)
