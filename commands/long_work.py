"""What the verbs that work for minutes have in common: one message and code for every way to stop early."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import RunError

__all__ = ["allowed_imports", "exit_code_of"]


def exit_code_of(work: Callable[[], int], what: str, ledger: Callable[[], Path | None]) -> int:
    """Do the work of a verb, and say how to go on where it is stopped.

    Args:
        work: Returns the exit code.
        what: Of the work, for the message: "study" or "search".
        ledger: Returns the file that keeps what is done, None before it is known.

    Returns:
        That of the work; 3 if it could not go on; 130 interrupted.

    Example:
        >>> exit_code_of(lambda: 0, "study", lambda: None)
        0
    """
    try:
        return work()
    except KeyboardInterrupt:
        path = ledger()
        kept = path is not None and path.is_file()
        where = f"; what is done is in {path}, and the same command goes on" if kept else " at the start"
        print(f"axonlight: stopped{where}", file=sys.stderr)
        return 130
    except (RunError, OSError, sqlite3.Error) as error:  # a full disk, workers that cannot start
        reason = " ".join(str(error).split())
        print(
            f"axonlight: the {what} stopped: {reason}; the same command goes on with what is missing", file=sys.stderr
        )
        return 3


def allowed_imports(names: str) -> tuple[str, ...]:
    """Return the packages that `--allow_imports` names.

    Example:
        >>> allowed_imports("mine,yours")
        ('mine', 'yours')
    """
    return tuple(name for name in names.split(",") if name)
