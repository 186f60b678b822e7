"""The classes that a config can name in each place, and the parameters that each of them takes.

What a class takes is read from its constructor: names, types and defaults from the signature, what each means from
the docstring. A constructor with ``**options`` takes those of the next class in line too, as jsonargparse has it.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, get_type_hints

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.cli import ReduceLROnPlateau
from torch import nn
from torch.optim import Optimizer, lr_scheduler

from .. import activations, callbacks, datamodules, models
from .checkpoint_config import LINKED

__all__ = ["PLACES", "Parameter", "Place", "parameters_of"]

_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_ENTRY = re.compile(r"\*{0,2}(\w+)(?: \([^)]*\))?: ?(.*)")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a constructor.

    Attributes:
        name: Its name.
        annotation: Its type; `inspect.Parameter.empty` if it has none.
        default: Its default; `inspect.Parameter.empty` if it must be given.
        description: What the docstring says about it.
    """

    name: str
    annotation: Any
    default: Any
    description: str


@dataclass(frozen=True)
class Place:
    """A place of a config that takes a class.

    Attributes:
        base: What the class must derive from.
        classes: Import path of each class that is described here; others of the same base are allowed too.
        supplied: Where a factory is expected: the number of leading arguments that its caller gives, which never
            stand in a config. None where an object is expected.
        others: Import paths of classes worth naming whose parameters are not described here.
    """

    base: type
    classes: dict[str, type]
    supplied: int | None = None
    others: tuple[str, ...] = ()

    @property
    def short_names(self) -> list[str]:
        """Names without the package, as a config may write them."""
        return [path.rpartition(".")[2] for path in self.classes]

    def parameters(self, path: str) -> list[Parameter]:
        """Return what a config can set in the class with this import path: in data also what others get from it."""
        linked = () if self.base is LightningDataModule else LINKED
        return [p for p in parameters_of(self.classes[path])[self.supplied or 0 :] if p.name not in linked]


def parameters_of(owner: type) -> list[Parameter]:
    """Return the parameters of a class's constructor, those behind ``**options`` included.

    Left out are the names in the class's `fixed_options`: what its constructor itself gives to the next class.

    Example:
        >>> from axonlight.datamodules import Higgs
        >>> [parameter.name for parameter in parameters_of(Higgs)][:3]
        ['root', 'batch_size', 'test_fraction']
    """
    found: dict[str, Parameter] = {}
    docstrings = [(cls.__doc__, cls.__init__.__doc__) for cls in reversed(owner.__mro__) if cls is not object]
    described = describe_arguments(*(text for pair in docstrings for text in pair))
    for ancestor in owner.__mro__:
        constructor = vars(ancestor).get("__init__")
        if constructor is None or ancestor is object:
            continue
        signature = list(inspect.signature(constructor).parameters.values())[1:]
        types = _types(constructor)
        for item in signature:
            if item.kind not in _VARIABLE and item.name not in found:
                annotation = types.get(item.name, inspect.Parameter.empty)
                found[item.name] = Parameter(item.name, annotation, item.default, described.get(item.name, ""))
        if not any(item.kind is inspect.Parameter.VAR_KEYWORD for item in signature):
            break
    fixed = getattr(owner, "fixed_options", ())
    return [parameter for parameter in found.values() if parameter.name not in fixed]


def describe_arguments(*docstrings: str | None) -> dict[str, str]:
    r"""Return the entries of the ``Args:`` sections of Google docstrings, each on one line; the last docstring wins.

    Example:
        >>> describe_arguments("Do.\n\n    Args:\n        rate: How fast,\n            at most 1.\n")
        {'rate': 'How fast, at most 1.'}
    """
    entries: dict[str, str] = {}
    for docstring in docstrings:
        _, _, section = inspect.cleandoc(docstring or "").partition("Args:\n")
        entries.update(_entries(section.split("\n")))
    return entries


def _entries(lines: list[str]) -> dict[str, str]:
    entries: dict[str, str] = {}
    margin = len(lines[0]) - len(lines[0].lstrip())
    name = ""
    for line in lines:
        indentation = len(line) - len(line.lstrip())
        if line.strip() and indentation < max(margin, 1):
            break  # the next section
        entry = _ENTRY.fullmatch(line.strip()) if indentation == margin else None
        if entry is not None:
            name = entry[1]
            entries[name] = entry[2]
        elif name:
            entries[name] = f"{entries[name]} {line.strip()}".strip()
    return entries


def _types(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except (NameError, TypeError):  # names that only exist for type checkers
        return {}


def _public(package: ModuleType, base: type, without: type | None = None) -> dict[str, type]:
    """Return the public classes of a package, less those that only exist to be derived from."""
    everything = [getattr(package, name) for name in package.__all__]
    classes = [item for item in everything if inspect.isclass(item) and base in item.__mro__]
    classes = [item for item in classes if without is None or not issubclass(item, without)]
    leaves = [item for item in classes if not any(other in item.__subclasses__() for other in classes)]
    return {f"{package.__name__}.{item.__name__}": item for item in leaves}


def _networks() -> dict[str, type]:
    """Return the public networks: modules made from the sizes of input and output, unlike the layers beside them."""
    found = _public(models, nn.Module, without=LightningModule)
    sizes = ["in_features", "out_features"]
    return {path: item for path, item in found.items() if list(inspect.signature(item).parameters)[:2] == sizes}


def _torch_optimizers() -> dict[str, type]:
    found = {name: item for name, item in vars(torch.optim).items() if inspect.isclass(item)}
    return {f"torch.optim.{n}": c for n, c in sorted(found.items()) if issubclass(c, Optimizer) and c is not Optimizer}


def _schedulers() -> dict[str, type]:
    # Lightning's ReduceLROnPlateau knows which metric to watch, torch's does not; the others take live objects.
    left_out = {"LRScheduler", "ReduceLROnPlateau", "ChainedScheduler", "SequentialLR"}
    names = sorted({*lr_scheduler.__all__} - left_out)
    found = {f"torch.optim.lr_scheduler.{name}": getattr(lr_scheduler, name) for name in names}
    return {**found, "lightning.pytorch.cli.ReduceLROnPlateau": ReduceLROnPlateau}


PLACES = {
    "task": Place(LightningModule, _public(models, LightningModule)),
    # Called with the sizes of input and output.
    "network": Place(nn.Module, _networks(), supplied=2),
    "activation": Place(nn.Module, _public(activations, nn.Module), supplied=0),
    "data": Place(LightningDataModule, _public(datamodules, LightningDataModule)),
    "callback": Place(
        Callback,
        _public(callbacks, Callback),
        others=tuple(f"lightning.pytorch.callbacks.{name}" for name in sorted(lightning_callbacks.__all__)),
    ),
    # Called with the parameters, and with the optimizer.
    "optimizer": Place(Optimizer, _torch_optimizers(), supplied=1),
    "scheduler": Place(lr_scheduler.LRScheduler, _schedulers(), supplied=1),
}
