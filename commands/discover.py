"""`axonlight discover`: search for an activation, and say how good it is."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .dotted_settings import command_line, split_settings
from .long_work import allowed_imports, exit_code_of

if TYPE_CHECKING:
    from ..discovery import Search, SearchResult

__all__ = ["add_arguments", "run", "take_settings"]

_OPTIONS = ("--output", "--allow_imports")
_SWITCHES = ("--resume", "--fresh", "--dry_run", "--help", "-h")
_EPILOG = (
    "Every key of a search is an option too: --engine.max_nodes 6 --finalists.seeds 20 --controls.random 30; and those "
    "of its base config: --data.root FOLDER --model.network.hidden [32,16] --trainer.max_epochs 20. "
    "See docs/discovery.md."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_arguments(parser)
        >>> parser.parse_args(["discovery/quickstart.yaml", "--dry_run"]).dry_run
        True
    """
    parser.epilog = _EPILOG
    parser.add_argument("search", help="search file, or the name of a shipped one, such as discovery/quickstart.yaml")
    parser.add_argument("--output", type=Path, help="folder of outcomes and report (default: runs/discover/NAME)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with the outcomes that are stored (the default)")
    again.add_argument("--fresh", action="store_true", help="put the stored outcomes aside and begin anew")
    parser.add_argument("--dry_run", action="store_true", help="check everything, print the plan, train nothing")
    parser.add_argument("--allow_imports", default="", metavar="NAME,...", help="packages that configs may name")


def take_settings(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, Any]]]:
    """Split keys of the search, and of its base config, off the arguments.

    Returns:
        The other arguments, and the keys with their values, read as YAML.

    Raises:
        InputError: If a key has no value, or a value is not YAML.

    Example:
        >>> take_settings(["discover", "--finalists.seeds", "5", "mine.yaml", "--data.root=there", "--fresh"])
        (['discover', 'mine.yaml', '--fresh'], [('finalists.seeds', 5), ('data.root', 'there')])
    """
    return split_settings(arguments, _OPTIONS, _SWITCHES)


def run(arguments: argparse.Namespace) -> int:
    """Run a search and print what it found.

    Returns:
        0 finished; 3 if the winner or its reference could not be trained with every fresh seed, or if the search could
        not go on; 130 interrupted.

    Raises:
        InputError: If the search cannot be used; nothing has been trained or written then.
    """
    search: Search | None = None

    def work() -> int:
        nonlocal search
        search = _read_search(arguments)
        print(search.settings.question or f"search {search.settings.name}", flush=True)
        return _run(search, arguments)

    return exit_code_of(work, "search", lambda: None if search is None else search.output / "ledger.sqlite")


def _read_search(arguments: argparse.Namespace) -> "Search":
    from ..discovery import Search, SearchSettings
    from ..discovery.search_file import read_search

    settings = SearchSettings.from_mapping(read_search(arguments.search, arguments.settings))
    output = arguments.output or Path("runs/discover") / settings.name
    return Search(settings, output, allow_imports=allowed_imports(arguments.allow_imports))


def _run(search: "Search", arguments: argparse.Namespace) -> int:
    from ..comparison.study.results import check_folder
    from ..discovery.report import write_search_report
    from ..discovery.search_plan import SearchPlan
    from ..discovery.search_progress import SearchProgress

    check_folder(search.output)
    base = search.base
    # An engine that looks at no data can say now how much it proposes, or that its space is too large.
    proposed = None if search.engine.needs_rows else len(search.engine.propose(None, search.settings.seed))
    plan = SearchPlan(search.settings, base.epochs, base.steps_per_epoch, proposed)
    rows = ", ".join(f"{key} {value:,}" for key, value in base.description.items() if isinstance(value, int))
    print("\n".join([f"{base.description['name']}: {rows} rows"] * bool(rows) + plan.lines()), flush=True)
    if arguments.dry_run:
        print("dry run: all was checked, nothing was trained or written")
        return 0
    with SearchProgress(plan.costs) as progress:
        result = search.run(progress, fresh=arguments.fresh)
    paths = write_search_report(result, search.output, _command(arguments))
    print("\n".join(["", *_answer(result), f"library: {paths.library}", f"report: {paths.html}"]))
    failed = [one for one in result.tested[:2] if one.failures]
    for one in failed:
        print(f"axonlight: {one.name} failed with a fresh seed ({one.failures[0]})", file=sys.stderr)
    return 3 if failed else 0


def _answer(result: "SearchResult") -> list[str]:
    """Return the first screen of the report as lines."""
    from ..discovery.report.answer import answer_of

    answer = answer_of(result)
    return [answer.summary, *(line.sentence for line in answer.verdicts), *answer.warnings, *answer.floors]


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that leads to the same figures."""
    return command_line("discover", arguments.search, arguments.settings)
