"""``python -m axonlight`` and the ``axonlight`` command."""

import sys

from .cli import main


def run() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(main())


if __name__ == "__main__":
    run()
