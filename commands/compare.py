"""`axonlight compare`: run a study, and say what it found."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError

__all__ = ["add_arguments", "run", "take_settings"]

_OPTIONS = ("--executor", "--workers", "--output", "--allow_imports")
_SWITCHES = ("--resume", "--fresh", "--dry_run", "--retry_failed", "--help", "-h")
_EPILOG = (
    "Every key of a study is an option too: --folds 5 --repeats 1 --seeds 3 --rope.auroc 0.02 --arms.real.draws 10 "
    "--overrides.trainer.max_epochs 3. See docs/studies.md."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_arguments(parser)
        >>> parser.parse_args(["studies/quickstart.yaml", "--workers", "2"]).workers
        2
    """
    parser.epilog = _EPILOG
    parser.add_argument("study", help="study file, or the name of a shipped one, such as studies/quickstart.yaml")
    parser.add_argument(
        "--executor", choices=("local", "ray", "slurm"), help="where runs are executed (default: the study's)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="runs side by side (default: as many as cores)")
    parser.add_argument("--output", type=Path, help="folder of ledger and report (default: runs/compare/NAME)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with what the ledger holds (the default)")
    again.add_argument("--fresh", action="store_true", help="put the ledger aside and begin anew")
    parser.add_argument("--dry_run", action="store_true", help="check everything, print the plan, train nothing")
    parser.add_argument("--retry_failed", action="store_true", help="execute failed runs again")
    parser.add_argument("--allow_imports", default="", metavar="NAME,...", help="packages that configs may name")


def take_settings(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, Any]]]:
    """Split keys of the study off the arguments.

    Returns:
        The other arguments, and the keys with their values, read as YAML.

    Raises:
        InputError: If a key has no value, or a value is not YAML.

    Example:
        >>> take_settings(["compare", "--folds", "5", "two.yaml", "--rope.auroc=0.02", "--dry_run"])
        (['compare', 'two.yaml', '--dry_run'], [('folds', 5), ('rope.auroc', 0.02)])
    """
    rest: list[str] = []
    settings: list[tuple[str, Any]] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, separator, value = argument.partition("=")
        if not argument.startswith("--") or name in _SWITCHES:
            rest.append(argument)
        elif name in _OPTIONS:
            rest += [argument] if separator else [argument, *_next(remaining, name)]
        else:
            text = value if separator else _next(remaining, name)[0]
            settings.append((name[2:], _read(name, text)))
    return rest, settings


def _next(remaining: Any, name: str) -> list[str]:
    value = next(remaining, None)
    if value is None:
        raise InputError(f"{name} needs a value")
    return [value]


def _read(name: str, text: str) -> Any:
    import yaml  # not needed by --help, which answers at once

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{name} is {text!r}, which is not YAML: {' '.join(str(error).split())}") from error


def run(arguments: argparse.Namespace) -> int:
    """Run a study and print its verdicts.

    Returns:
        0 finished; 3 if a run failed, in which case the report is about the others; 130 interrupted.

    Raises:
        InputError: If the study cannot be used; nothing has been trained then.
    """
    from ..comparison import Study
    from ..comparison.report import write_report
    from ..comparison.report.answer import answer_of
    from ..comparison.study import read_study

    allowed = tuple(name for name in arguments.allow_imports.split(",") if name)
    fields = read_study(arguments.study, arguments.settings)
    study = Study(fields, output=arguments.output, allow_imports=allowed)
    print(study.question, flush=True)
    print(study.size, flush=True)
    print(study.budget(timed=not arguments.dry_run, workers=arguments.workers), flush=True)
    if arguments.dry_run:
        return 0
    try:
        ledger = study.run(
            arguments.executor,
            arguments.workers,
            resume=not arguments.fresh,
            retry_failed=arguments.retry_failed,
        )
    except KeyboardInterrupt:
        print(f"stopped; what is done is in {study.ledger_path}, and the same command goes on", file=sys.stderr)
        return 130
    with ledger:
        failed = ledger.counts()["failed"]
    data = study.analyze(command=_command(arguments))
    paths, answer = write_report(data, study.output), answer_of(data)
    print(f"\n{answer.summary}")
    for line in answer.verdicts:
        print(f"  {line.sentence}")
    print("\n".join([*answer.floors, f"report: {paths.html}"]))
    if failed:
        print(
            f"axonlight: {failed:,} runs failed; the report counts them, --retry_failed repeats them", file=sys.stderr
        )
    return 3 if failed else 0


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that leads to the same figures: the study and its settings, not how it was executed."""
    settings = [f"--{key} {shlex.quote(json.dumps(value))}" for key, value in arguments.settings]
    return " ".join(["axonlight compare", shlex.quote(arguments.study), *settings])
