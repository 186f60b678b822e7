"""The folder of a study's results, checked before anything is written to it."""

import os
from pathlib import Path

from ...errors import InputError
from ..ledger import Ledger

__all__ = ["check_folder", "check_owner"]


def check_folder(folder: Path) -> None:
    """Refuse a folder in which no file can be written; nothing is made.

    Raises:
        InputError: Naming what is in the way.

    Example:
        >>> import tempfile
        >>> check_folder(Path(tempfile.mkdtemp(), "not", "yet", "there"))
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = f"{there} is a file" if not there.is_dir() else f"{there} cannot be written to"
        raise InputError(f"output is '{folder}', but {reason}; name another folder by --output")


def check_owner(ledger: Ledger, study: str) -> None:
    """Refuse the ledger of another study: its plan and its report would be lost.

    Raises:
        InputError: Naming both studies.
    """
    found = (ledger.facts().get("fields") or {}).get("name", study)
    if found != study:
        raise InputError(
            f"{ledger.path} belongs to the study '{found}', not to '{study}'; name another folder by --output, or put "
            "that ledger aside by --fresh"
        )
