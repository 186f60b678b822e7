"""What torch.fx tells about a model: activations called as functions, widths in front of modules."""

import copy
import operator
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from .base import is_activation

__all__ = ["CallSite", "FunctionalCall", "ModelTrace", "trace_model"]

# fmt: off
_NAMES = (
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
    "logsigmoid", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid", "silu", "softplus",
    "softshrink", "softsign", "tanh", "tanhshrink", "threshold",
)
# fmt: on
_METHODS = {name + end for name in _NAMES for end in ("", "_") if hasattr(torch.Tensor, name + end)}
_FUNCTIONS: dict[Any, str] = {
    getattr(module, name + end): name
    for module in (torch, F)
    for name in _NAMES
    for end in ("", "_")
    if hasattr(module, name + end)
}
_SUMS = {operator.add, operator.iadd, torch.add}
_PASS_THROUGH = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.Identity,
    nn.LayerNorm,
)
# Attribute that holds the width of a layer's output, and whether units lie in dimension 1 there (else in the
# last).
_WIDTHS = (("out_features", False), ("out_channels", True), ("num_features", True), ("num_channels", True))


@dataclass(frozen=True)
class FunctionalCall:
    """An activation that a forward calls as a function, where no module can be exchanged.

    Attributes:
        function: Name of the function, such as `relu`.
        owner: Path of the module whose code calls it ("" is the model).
        owner_type: Class name of that module.

    Example:
        >>> str(FunctionalCall("relu", "encoder", "Block"))
        'relu in encoder (Block)'
    """

    function: str
    owner: str
    owner_type: str

    def __str__(self) -> str:
        return f"{self.function} in {self.owner or 'the model itself'} ({self.owner_type})"


@dataclass(frozen=True)
class CallSite:
    """One call of a module: the width of its input if the layer before tells it, and where the units lie.

    Example:
        >>> CallSite(width=64, channel_dim=1).width
        64
    """

    width: int | None
    channel_dim: int | None


@dataclass
class ModelTrace:
    """Everything found by tracing.

    Attributes:
        functional: Activations called as functions.
        call_sites: Calls of each module, by path.
        untraceable: Path of a module whose own forward could not be traced, and the reason.

    Example:
        >>> trace = trace_model(nn.Sequential(nn.Linear(2, 8), nn.ReLU()))
        >>> trace.call_sites["1"][0].width
        8
    """

    functional: list[FunctionalCall] = field(default_factory=list)
    call_sites: dict[str, list[CallSite]] = field(default_factory=lambda: defaultdict(list))
    untraceable: list[tuple[str, str]] = field(default_factory=list)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_activation(m) or isinstance(m, _PASS_THROUGH) or super().is_leaf_module(m, module_qualified_name)


def trace_model(model: nn.Module) -> ModelTrace:
    """Trace a model, or where its own code resists tracing, its parts.

    Besides calls, functions kept as attributes are found (`self.activation = F.gelu`, as torch's transformer
    layers do), even where nothing can be traced.

    Example:
        >>> trace_model(nn.TransformerEncoderLayer(4, 1)).functional[0].function
        'relu'
    """
    trace = ModelTrace()
    calls: dict[FunctionalCall, None] = {}
    for path, module in model.named_modules():
        for value in vars(module).values():
            if isinstance(value, Callable) and _hashable(value) and value in _FUNCTIONS:
                calls[FunctionalCall(_FUNCTIONS[value], path, type(module).__name__)] = None
    with _unshared_activations(model):
        for path, part, graph in _graphs(model, "", trace.untraceable):
            for node in graph.nodes:
                function = _function_name(node)
                if function:
                    owner = _owner(node, path)
                    calls[FunctionalCall(function, owner, type(model.get_submodule(owner)).__name__)] = None
                elif node.op == "call_module":
                    trace.call_sites[_join(path, str(node.target))].append(_call_site(node, part))
    trace.functional = list(calls)
    return trace


@contextmanager
def _unshared_activations(model: nn.Module) -> Iterator[None]:
    """Let each path hold a module of its own for a while: the tracer names a shared one by its first path."""
    seen: set[int] = set()
    places: dict[tuple[int, str], tuple[nn.Module, nn.Module]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        parent_path, _, name = path.rpartition(".")
        parent = model.get_submodule(parent_path)
        if path and is_activation(module) and (id(parent), name) not in places:
            if id(module) in seen:
                places[id(parent), name] = (parent, module)
            seen.add(id(module))
    for (_, name), (parent, module) in places.items():
        setattr(parent, name, copy.copy(module))
    try:
        yield
    finally:
        for (_, name), (parent, module) in places.items():
            setattr(parent, name, module)


def _graphs(
    module: nn.Module, path: str, untraceable: list[tuple[str, str]]
) -> Iterator[tuple[str, nn.Module, fx.Graph]]:
    if is_activation(module):
        return
    try:
        yield path, module, _Tracer().trace(module)
    except Exception as error:  # tracing runs the model's own code, which may raise anything
        if type(module).forward is not nn.Module.forward:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            untraceable.append((path, reason))
        for name, child in module.named_children():
            if not _Tracer().is_leaf_module(child, name):
                yield from _graphs(child, _join(path, name), untraceable)


def _function_name(node: fx.Node) -> str | None:
    if node.op == "call_function" and _hashable(node.target):
        return _FUNCTIONS.get(node.target)
    if node.op == "call_method" and node.target in _METHODS:
        return str(node.target).rstrip("_")
    return None


def _owner(node: fx.Node, path: str) -> str:
    stack = list(node.meta.get("nn_module_stack") or {})
    return _join(path, stack[-1]) if stack else path


def _call_site(node: fx.Node, part: nn.Module) -> CallSite:
    """Walk back from a call to a layer that decides the width, through what keeps the shape."""
    seen: set[fx.Node] = set()
    waiting = list(node.args[:1])
    while waiting:
        before = waiting.pop(0)
        if not isinstance(before, fx.Node) or before in seen:
            continue
        seen.add(before)
        if before.op == "call_module":
            module = part.get_submodule(str(before.target))
            site = _width_of(module)
            if site is not None:
                return site
            if isinstance(module, _PASS_THROUGH) or is_activation(module):
                waiting += before.args[:1]
        elif before.op == "call_function" and before.target in _SUMS:
            waiting += before.args[:2]  # either side of a residual connection has the width
    return CallSite(None, None)


def _width_of(module: nn.Module) -> CallSite | None:
    for attribute, units_second in _WIDTHS:
        width = getattr(module, attribute, None)
        if isinstance(width, int) and not is_activation(module):
            return CallSite(width, 1 if units_second else None)
    return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _hashable(value: Any) -> bool:
    return getattr(type(value), "__hash__", None) is not None
