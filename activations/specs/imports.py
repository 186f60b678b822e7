"""Which modules a spec may import: a configuration of somebody else must not choose freely."""

from collections.abc import Iterable
from importlib import import_module

from torch import nn

from ...errors import InputError

__all__ = ["allow_imports", "allowed_import", "import_activation"]

_PACKAGE = __package__.partition(".")[0] if __package__ else ""
_allowed: set[str] = {_PACKAGE, "torch.nn"}


def allow_imports(names: Iterable[str]) -> None:
    """Let specs name classes of these packages or modules, for the rest of the process.

    Raises:
        InputError: If a name is not dotted identifiers.

    Example:
        >>> allow_imports(["torch_geometric.nn"])
        >>> allowed_import("torch_geometric.nn.models.MLP")
        True
    """
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise InputError(f"allow_imports names {name!r}; it must be the dotted name of a package or module")
        _allowed.add(name)


def allowed_import(path: str) -> bool:
    """Tell whether a dotted path lies inside a package that specs may import.

    Example:
        >>> allowed_import("torch.nn.Tanh"), allowed_import("torch.nnx.Tanh"), allowed_import("os.system")
        (True, False, False)
    """
    return any(path == name or path.startswith(f"{name}.") for name in _allowed)


def import_activation(path: str) -> type[nn.Module]:
    """Import a module class by its dotted path, if the path is allowed.

    Raises:
        InputError: If the path is not allowed, does not exist or is not a class of modules.

    Example:
        >>> import_activation("torch.nn.Tanh").__name__
        'Tanh'
    """
    if not allowed_import(path):
        raise InputError(
            f"class_path {path!r} is outside what a spec may import, which is {', '.join(sorted(_allowed))}"
        )
    module_name, _, name = path.rpartition(".")
    try:
        # A real import of the parent: attributes of modules (their own imports) cannot be walked through.
        found = getattr(import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"class_path {path!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise InputError(f"class_path {path!r} is not a class of torch modules")
    if not allowed_import(f"{found.__module__}.{name}"):
        raise InputError(f"class_path {path!r} leads to {found.__module__}, outside what a spec may import")
    return found
