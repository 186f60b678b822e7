"""Files that are there whole, or as they were before."""

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["replace_file", "replace_text"]


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the path, then take its place: a reader never sees half a file.

    Args:
        path: The file.
        write: Writes to the path that it is given, which has the suffix of the file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "answer.txt"
        >>> replace_file(path, lambda made: made.write_text("42"))
        >>> path.read_text(), len(list(path.parent.iterdir()))
        ('42', 1)
    """
    made = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(made)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write text so; see `replace_file`."""
    replace_file(path, lambda made: made.write_text(text, encoding="utf-8"))
