"""Find configs: files of the working directory first, then those shipped with the package."""

import difflib
from pathlib import Path

from .. import configs
from ..errors import InputError

__all__ = ["find_config", "with_shipped_configs"]


def find_config(name: str) -> str:
    """Return the path of a config file; shipped ones are found by their path below ``axonlight/configs``.

    Raises:
        InputError: If there is no such file, naming the nearest shipped ones.

    Example:
        >>> from pathlib import Path
        >>> Path(find_config("demo.yaml")).name
        'demo.yaml'
    """
    if "\n" in name or Path(name).is_file():
        return name
    folder = Path(configs.__path__[0])
    shipped = {str(path.relative_to(folder)): str(path) for path in sorted(folder.rglob("*.yaml"))}
    below = name.removeprefix("configs/")
    if below in shipped:
        return shipped[below]
    near = difflib.get_close_matches(below, shipped, n=3, cutoff=0.4)
    hint = f"; shipped configs with a similar name: {', '.join(near)}" if near else ""
    raise InputError(f"config '{name}' is not a file{hint}")


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
