"""``axonlight inspect``: look at one part without training."""

import argparse
from pathlib import Path

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the things that can be looked at."""
    things = parser.add_subparsers(title="things", dest="thing", required=True)
    activation = things.add_parser(
        "activation",
        help="draw an activation and its derivative",
        description="Draw an activation and its derivative to a PNG file.",
    )
    activation.add_argument("spec", help='what to draw, e.g. relu, "ash(z=0.5)", "formula(x*cos(x))"')
    activation.add_argument("--output", type=Path, help="file to write (default: named after the spec, here)")
    activation.add_argument("--low", type=float, default=-5.0, help="left end of the x axis (default: -5)")
    activation.add_argument("--high", type=float, default=5.0, help="right end of the x axis (default: 5)")


def run(arguments: argparse.Namespace) -> int:
    """Draw what was asked for and say where it is."""
    from .inspect_activation import draw_activation

    path = draw_activation(arguments.spec, arguments.output, arguments.low, arguments.high)
    print(path)
    return 0
