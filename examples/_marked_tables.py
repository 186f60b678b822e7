"""The tables of a report: blocks of a page between two marks, rewritten by the command that measures them."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["marks", "table", "write_block"]


def marks(label: str, script: str) -> tuple[str, str]:
    """Return the lines before and after the block that an example writes."""
    return f"<!-- {label}: written by examples/{script}.py -->", f"<!-- end of {label} -->"


def write_block(page: Path, label: str, block: str, script: str) -> None:
    """Write the part of a page between the marks of `label`; all else stays as it is.

    Args:
        page: The report; made if it is not there.
        label: Name of the block; a block that the page lacks is added at its end.
        block: What stands between the marks.
        script: Name of the example that writes it.
    """
    begin, end = marks(label, script)
    whole = f"{begin}\n{block}\n{end}"
    old = page.read_text() if page.exists() else ""
    before, found, rest = old.partition(begin)
    page.write_text(before + whole + rest.partition(end)[2] if found else f"{old.rstrip()}\n\n{whole}\n".lstrip())


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; a bar within a cell becomes a slash."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)
