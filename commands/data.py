"""`axonlight data`: which named data sets there are, where their files lie, and what a table holds."""

import argparse
from pathlib import Path

from ..datasets import NAMED_SETS, NamedSet, check_table, data_root, fetch_set, find_local, find_set, load_set

__all__ = ["add_arguments", "run"]

_ROOT_HELP = "folder of the data (default: the variable AXONLIGHT_DATA, else a folder in the user's cache)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs `list`, `get` and `check`; without a verb, `list` runs.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_arguments(parser)
        >>> parser.parse_args(["get", "spambase"]).name
        'spambase'
    """
    parser.add_argument("--root", default=None, help=_ROOT_HELP)
    verbs = parser.add_subparsers(dest="verb", metavar="{list,get,check}")
    # SUPPRESS: without it the verb's own default would undo a --root written before the verb.
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--root", default=argparse.SUPPRESS, help=_ROOT_HELP)
    verbs.add_parser("list", parents=[shared], help="list the named sets and where their files lie")
    get = verbs.add_parser("get", parents=[shared], help="download a named set unless it is there")
    get.add_argument("name", help="name of the set, as `axonlight data list` shows it")
    check = verbs.add_parser("check", parents=[shared], help="describe a named set's file, or any table")
    check.add_argument("table", help="name of a set, or a CSV, TSV or Parquet file")
    check.add_argument("--target", default=None, help="name or index of the target column (default: the last)")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb and return the exit code.

    Raises:
        InputError: If a name, folder or file is not there or cannot be used.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_arguments(parser)
        >>> run(parser.parse_args(["get", "breast_cancer"]))
        breast_cancer ships inside scikit-learn
        0
    """
    if arguments.verb == "get":
        print(_get(find_set(arguments.name), arguments.root))
    elif arguments.verb == "check":
        print(_check(arguments.table, arguments.target, arguments.root))
    else:
        print(_list(arguments.root))
    return 0


def _list(root: str | None) -> str:
    folder = data_root(root)
    lines = [f"data root: {folder}", ""]
    for named in NAMED_SETS.values():
        lines += [
            f"{named.name:<15}{named.title}",
            f"{'':15}{named.num_rows:,} rows x {named.num_features} features, {len(named.labels)} classes, "
            f"{named.licence}, {named.source}",
            f"{'':15}{_whereabouts(named, folder)}",
            *(f"{'':15}note: {note}" for note in named.notes),
            "",
        ]
    lines.append("Another table: --data TabularData --data.path FILE; describe it with `axonlight data check FILE`")
    return "\n".join(lines)


def _whereabouts(named: NamedSet, folder: Path) -> str:
    if named.fetcher == "embedded":
        return "ready: inside scikit-learn"
    found = find_local(named, folder)
    if found is not None:
        return f"ready: {found}"
    return f"not there: `axonlight data get {named.name}`, or put {named.files[0]} into the data root"


def _get(named: NamedSet, root: str | None) -> str:
    if named.fetcher == "embedded":
        return f"{named.name} ships inside scikit-learn"
    folder = data_root(root)
    found = find_local(named, folder)
    if found is not None:
        return f"{named.name} is already there: {found}"
    return f"{named.name} is now in {fetch_set(named, root)}"


def _check(table: str, target: str | None, root: str | None) -> str:
    if table.lower().replace("-", "_") not in NAMED_SETS:
        if "." not in Path(table).name and not Path(table).exists():
            find_set(table)  # a bare word can only have been meant as a name
        return str(check_table(table, _column(target)))
    named = find_set(table)
    frame = load_set(named, root)  # says what is wrong with a file that is not this set
    found = find_local(named, data_root(root)) if named.fetcher != "embedded" else None
    if found is None:
        counts = frame[named.target].value_counts().to_dict()
        return f"{named.name} ships inside scikit-learn: {len(frame)} rows, classes {counts}"
    report = str(check_table(found, -1))
    size = "complete" if len(frame) >= named.num_rows else f"a part of {named.num_rows:,} rows"
    return f"set              {named.name} ({size})\n{report}"


def _column(target: str | None) -> int | str:
    if target is None:
        return -1
    return int(target) if target.removeprefix("-").isdigit() else target
