"""One command: fit, validate, test, predict, compare, discover, inspect, data.

The verbs that train are LightningCLI (`training.command_line`); they import torch and lightning, which takes seconds.
Help, `data` and `inspect --help` answer at once because nothing heavy is imported before a verb needs it.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from . import __version__
from .commands import compare, data, discover, inspect
from .commands.completion import KINDS, PrintCompletion
from .errors import InputError

__all__ = ["main"]

TRAINING_VERBS = {
    "fit": "train a network on data",
    "validate": "evaluate a network on the validation rows",
    "test": "evaluate a network on the test rows",
    "predict": "write predictions for rows",
}


def main(args: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code.

    Args:
        args: Arguments after the program's name; None takes them from the command line.

    Returns:
        0 finished, 2 the input was wrong, 3 the run failed, 130 interrupted, 143 terminated.

    Example:
        >>> main(["--version"])
        axonlight 0.1.0
        0
    """
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        if arguments and arguments[0] in TRAINING_VERBS:
            from .training.command_line import run

            return run(arguments)
        return _run_light_verb(arguments)
    except InputError as error:
        print(f"axonlight: error: {error}", file=sys.stderr)
        return 2
    except SystemExit as leave:  # argparse has printed help, or a module that was imported wants to end the program
        if isinstance(leave.code, str):
            print(f"axonlight: error: {leave.code}", file=sys.stderr)
            return 2
        return int(leave.code or 0)


class _Parser(argparse.ArgumentParser):
    """A parser, and its sub-parsers, whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def _run_light_verb(arguments: list[str]) -> int:
    parser = _build_parser()
    if not arguments:
        parser.print_help()
        return 2
    settings: list[tuple[str, Any]] = []
    reader = {"compare": compare, "discover": discover}.get(arguments[0])
    if reader is not None:  # keys of the file that it reads are options, too many and too deep to declare
        arguments, settings = reader.take_settings(arguments)
    parsed = parser.parse_args(arguments)
    parsed.settings = settings
    return parsed.run(parsed)


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="axonlight",
        allow_abbrev=False,
        description="Train, discover, swap and clamp activations in biologically structured networks.",
        epilog="Each verb has its own help: axonlight fit --help. Configs may name classes of axonlight, torch.nn, "
        "torch.optim, torch_geometric.nn, lightning.pytorch and torchmetrics; --allow_imports NAME,... adds packages.",
    )
    parser.add_argument("--version", action="version", version=f"axonlight {__version__}")
    parser.add_argument(
        "--print_completion",
        action=PrintCompletion,
        metavar=f"{{{','.join(KINDS)}}}",
        help="print a JSON schema of the configs for editors, or a shell's completion script",
    )
    verbs = parser.add_subparsers(title="verbs", dest="verb", required=True)
    for verb, description in TRAINING_VERBS.items():
        verbs.add_parser(verb, help=description, add_help=False)
    for name, module, description in [
        ("compare", compare, "run a study: arms against randomized baselines, with verdicts"),
        ("discover", discover, "search for an activation, with controls and a verdict"),
        ("inspect", inspect, "look at one part without training"),
        ("data", data, "list, fetch and check the named data sets"),
    ]:
        verb_parser = verbs.add_parser(name, help=description, description=description)
        module.add_arguments(verb_parser)
        verb_parser.set_defaults(run=module.run)
    return parser
