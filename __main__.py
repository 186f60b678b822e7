"""``python -m axonlight`` and the ``axonlight`` command."""

import os
import sys

# `python -m` puts the working directory first on the path: a user's `rich.py` there would shadow the library.
# `--allow_imports` puts it last, where it shadows nothing.
if sys.path and __name__ == "__main__" and sys.path[0] in ("", os.getcwd()):
    sys.path.pop(0)

from .cli import main


def run() -> None:
    """Run the command line and leave with its exit code."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader left, as `| head` does; nothing more can be said, and nothing went wrong here
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


if __name__ == "__main__":
    run()
