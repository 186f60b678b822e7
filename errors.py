"""The two ways a run can go wrong: the input was wrong, or the run itself failed.

The command line turns them into exit codes (2 and 3) and prints their message as it stands, so a message
is one sentence that names the key, file, row or column, the value found and what is allowed.
"""

from collections.abc import Sequence

__all__ = ["InputError", "RunError", "shown"]


class InputError(ValueError):
    """What the user gave cannot be used; nothing has been written. Exit code 2.

    Example:
        >>> raise InputError("batch_size is 0; it must be a positive integer")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: batch_size is 0; it must be a positive integer
    """


class RunError(RuntimeError):
    """The run was set up correctly and then failed, for instance by a non-finite loss. Exit code 3.

    Example:
        >>> raise RunError("the loss is nan at step 7")
        Traceback (most recent call last):
            ...
        axonlight.errors.RunError: the loss is nan at step 7
    """


def shown(names: Sequence[str], limit: int = 5) -> str:
    """Return the first names and how many more there are, as messages list them.

    Example:
        >>> shown(["TP53", "BRCA1", "ATM"], limit=2)
        'TP53, BRCA1 and 1 more'
    """
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"
