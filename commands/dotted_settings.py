"""Keys of a file as options: `--folds 5 --rope.auroc 0.02`, too many and too deep to declare."""

import json
import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ..errors import InputError

__all__ = ["command_line", "split_settings"]

# YAML 1.1 takes a number such as 1e-3, without a point, for text.
_NUMBER = re.compile(r"[+-]?[0-9]+[eE][+-]?[0-9]+")


def split_settings(
    arguments: Sequence[str], options: Collection[str], switches: Collection[str]
) -> tuple[list[str], list[tuple[str, Any]]]:
    """Split keys of the file that a verb reads off the arguments.

    Args:
        arguments: All arguments.
        options: Declared options that take a value.
        switches: Declared options that take none.

    Returns:
        The other arguments, and the keys with their values, read as YAML.

    Raises:
        InputError: If a key has no value, or a value is not YAML.

    Example:
        >>> split_settings(["--folds", "5", "two.yaml", "--rope.auroc=2e-2", "--fresh"], (), ("--fresh",))
        (['two.yaml', '--fresh'], [('folds', 5), ('rope.auroc', 0.02)])
    """
    rest: list[str] = []
    settings: list[tuple[str, Any]] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, separator, value = argument.partition("=")
        if not argument.startswith("--") or name in switches:
            rest.append(argument)
        elif name in options:
            rest += [argument] if separator else [argument, _next(remaining, name)]
        else:
            settings.append((name[2:], _read(name, value if separator else _next(remaining, name))))
    return rest, settings


def command_line(verb: str, file: str, settings: Sequence[tuple[str, Any]]) -> str:
    r"""Return the command that gives a file with these settings to a verb.

    Example:
        >>> command_line("discover", "mine.yaml", [("data.root", "my data"), ("finalists.seeds", 5), ("name", "7")])
        'axonlight discover mine.yaml --data.root \'my data\' --finalists.seeds 5 --name \'"7"\''
    """
    options = []
    for key, value in settings:
        plain = isinstance(value, str) and _read(key, value) == value
        options.append(f"--{key} {shlex.quote(value if plain else json.dumps(value))}")
    return " ".join([f"axonlight {verb} {shlex.quote(file)}", *options])


def _next(remaining: Iterator[str], name: str) -> str:
    value = next(remaining, None)
    if value is None:
        raise InputError(f"{name} needs a value")
    return value


def _read(name: str, text: str) -> Any:
    import yaml  # not needed by --help, which answers at once

    try:
        value = yaml.safe_load(text)
        return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that there is not, such as 2024-13-01
        raise InputError(f"{name} is {text!r}, which is not YAML: {' '.join(str(error).split())}") from error
