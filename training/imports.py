"""Which packages a config may name.

A YAML file is input from somewhere: whatever it names is imported, and importing runs code. So a config may name
classes of a few packages only, and only the command line, never a file, can add to them.
"""

import importlib
import sys
import traceback
from pathlib import Path

from jsonargparse import set_parsing_settings

from ..activations.specs import allow_imports as allow_in_specs
from ..errors import InputError

__all__ = ["ALLOWED_PACKAGES", "apply_import_policy", "take_allow_imports"]

ALLOWED_PACKAGES = (
    "axonlight",
    "torch.nn",
    "torch.optim",
    "torch_geometric.nn",
    "lightning.pytorch",
    "torchmetrics",
)


def take_allow_imports(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split ``--allow_imports NAME[,NAME]`` off the arguments.

    It is read from the command line alone: a config that could allow its own imports would allow everything.

    Returns:
        The names, and the arguments without them.

    Raises:
        InputError: If the option stands without a name, or a name is not a dotted identifier.

    Example:
        >>> take_allow_imports(["fit", "--allow_imports", "mynets", "--trainer.max_epochs", "1"])
        (['mynets'], ['fit', '--trainer.max_epochs', '1'])
    """
    names: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        option, separator, value = argument.partition("=")
        if option != "--allow_imports":
            rest.append(argument)
            continue
        value = value if separator else next(remaining, "")
        given = [name.strip() for name in value.split(",") if name.strip()]
        if not given or value.startswith("-"):
            raise InputError("--allow_imports needs the name of a package, or several separated by commas")
        names.extend(given)
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise InputError(f"--allow_imports names '{name}', which is not the name of a package")
    return names, rest


def apply_import_policy(extra: list[str]) -> None:
    """Let configs name the allowed packages and `extra`, and nothing else; import `extra` for short class names.

    Raises:
        InputError: If a package of `extra` cannot be imported.
    """
    set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=[*ALLOWED_PACKAGES, *extra])
    allow_in_specs(extra)
    if extra and str(Path.cwd()) not in sys.path:
        # At the end: a module beside the config is found, a file named like a library cannot shadow it.
        sys.path.append(str(Path.cwd()))
    for name in extra:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever the user's code does when it is imported
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = "" if isinstance(error, ModuleNotFoundError) else f" ({last.filename}, line {last.lineno})"
            reason = f"{type(error).__name__}: {error}{where}"
            raise InputError(f"--allow_imports names '{name}', which cannot be imported: {reason}") from error
