"""Find configs: files of the working directory first, then those shipped with the package."""

import difflib
import os
from pathlib import Path

from .. import configs
from ..errors import InputError

__all__ = ["find_config", "find_file", "is_text", "shipped_configs", "shipped_files", "with_shipped_configs"]

# What verbs other than `fit` read, and its folder: studies of `axonlight compare`, searches of `axonlight discover`.
_FOLDERS = {"study": "studies/", "search": "discovery/"}
_PLURALS = {"study": "studies", "search": "searches"}
# Protocols of stimulation are parts of configs.
_PROTOCOLS = "protocols/"


def shipped_configs() -> dict[str, str]:
    """Return the path of every config that comes with the package, by the name that ``--config`` takes.

    Example:
        >>> "demo.yaml" in shipped_configs()
        True
    """
    others = (*_FOLDERS.values(), _PROTOCOLS)
    return {name: path for name, path in _shipped().items() if not name.startswith(others)}


def shipped_files(kind: str) -> dict[str, str]:
    """Return the path of every study or search that comes with the package, by the name that its verb takes.

    Args:
        kind: "study" or "search".

    Example:
        >>> "studies/quickstart.yaml" in shipped_files("study"), "discovery/quickstart.yaml" in shipped_files("search")
        (True, True)
    """
    return {name: path for name, path in _shipped().items() if name.startswith(_FOLDERS[kind])}


def _shipped() -> dict[str, str]:
    folder = Path(configs.__path__[0])
    return {path.relative_to(folder).as_posix(): str(path) for path in sorted(folder.rglob("*.yaml"))}


def find_config(name: str) -> str:
    """Return the path of a config file; shipped ones are found by their path below ``axonlight/configs``.

    A config may also be given as text, recognised by a line break or a leading brace, and is returned as it is.

    Raises:
        InputError: If there is no such file, naming the nearest shipped ones.

    Example:
        >>> from pathlib import Path
        >>> Path(find_config("demo.yaml")).name
        'demo.yaml'
    """
    if is_text(name) or os.path.isfile(name):  # Path.is_file raises where a name is too long
        return name
    shipped = shipped_configs()
    below = name.removeprefix("configs/")
    if below in shipped:
        return shipped[below]
    near = difflib.get_close_matches(below, shipped, n=3, cutoff=0.4)
    hint = f"; shipped configs with a similar name: {', '.join(near)}" if near else ""
    raise InputError(f"config '{name}' is not a file{hint}")


def find_file(kind: str, name: str) -> Path:
    """Return the file of a study or a search: one of the working directory, else a shipped one.

    Args:
        kind: "study" or "search".
        name: A path, or the name of a shipped one with or without its folder and ending.

    Raises:
        InputError: If there is no such file, naming the nearest shipped ones.

    Example:
        >>> find_file("study", "quickstart").name, find_file("search", "configs/discovery/quickstart.yaml").name
        ('quickstart.yaml', 'quickstart.yaml')
    """
    if os.path.isfile(name):
        return Path(name)
    shipped, below, folder = shipped_files(kind), name.removeprefix("configs/"), _FOLDERS[kind]
    for candidate in (below, f"{folder}{below}", f"{folder}{below}.yaml"):
        if candidate in shipped:
            return Path(shipped[candidate])
    near = difflib.get_close_matches(below, shipped, n=3, cutoff=0.4) or list(shipped)
    raise InputError(f"{kind} '{name}' is not a file; shipped {_PLURALS[kind]}: {', '.join(near)}")


def is_text(config: str) -> bool:
    """Tell whether a config is given as text rather than as the name of a file."""
    return "\n" in config or config.lstrip().startswith("{")


def with_shipped_configs(arguments: list[str]) -> list[str]:
    """Replace every ``--config NAME`` by the path of the file that it means."""
    resolved: list[str] = []
    expects_name = False
    for argument in arguments:
        option, separator, value = argument.partition("=")
        if expects_name:
            argument, expects_name = find_config(argument), False
        elif option in ("--config", "-c"):
            argument, expects_name = (f"{option}={find_config(value)}", False) if separator else (argument, True)
        resolved.append(argument)
    return resolved
