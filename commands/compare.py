"""`axonlight compare`: run a study, and say what it found."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .compare_answer import failure_line, printed_answer
from .dotted_settings import command_line, split_settings
from .long_work import allowed_imports, exit_code_of

if TYPE_CHECKING:
    from ..comparison import Study

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
    return split_settings(arguments, _OPTIONS, _SWITCHES)


def run(arguments: argparse.Namespace) -> int:
    """Run a study and print its verdicts.

    Returns:
        0 finished; 3 if a run failed, in which case the report is about the others, or if the study could not go on;
        130 interrupted.

    Raises:
        InputError: If the study cannot be used; nothing has been trained or written then.
    """
    study: Study | None = None

    def work() -> int:
        nonlocal study
        study = _read_study(arguments)
        print(study.question, flush=True)
        return _run(study, arguments)

    return exit_code_of(work, "study", lambda: None if study is None else study.ledger_path)


def _read_study(arguments: argparse.Namespace) -> "Study":
    from ..comparison import Study
    from ..comparison.design import read_study

    execution = [(key, value) for key in ("executor", "workers") if (value := getattr(arguments, key)) is not None]
    fields = read_study(arguments.study, [*arguments.settings, *execution])
    return Study(fields, output=arguments.output, allow_imports=allowed_imports(arguments.allow_imports))


def _run(study: "Study", arguments: argparse.Namespace) -> int:
    from ..comparison.report import write_report

    resume = not arguments.fresh
    study.check(resume=resume)
    print(study.size, flush=True)
    budget = study.budget(timed=not arguments.dry_run, resume=resume, retry_failed=arguments.retry_failed)
    print(budget, flush=True)
    if arguments.dry_run:
        print("dry run: all was checked, nothing was trained or written")
        return 0
    study.run(resume=resume, retry_failed=arguments.retry_failed).close()
    data = study.analyze(command=_command(arguments))
    paths = write_report(data, study.output)
    print("\n".join(["", *printed_answer(data), f"report: {paths.html}"]))
    if data.failures:
        print(failure_line(data), file=sys.stderr)
    return 3 if data.failures else 0


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that leads to the same figures: the study and its settings, not how it was executed."""
    return command_line("compare", arguments.study, arguments.settings)
