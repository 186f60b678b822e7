"""Hooks at the activations of a network, there on examined steps alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ...activations import is_activation
from ...errors import InputError
from ...models import sites_of
from ..recording.probe import Gate

__all__ = ["Heard", "Listener", "Listeners", "find_activations"]


def find_activations(network: nn.Module) -> dict[str, nn.Module]:
    """Return the activation modules of a network by name: that of the site where it has one, else the path.

    Raises:
        InputError: If there is none; activations that are called as functions cannot be seen.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> list(find_activations(DenseNetwork(30, 1, hidden=[8, 4], activation="ash")))
        ['hidden_0', 'hidden_1']
        >>> list(find_activations(nn.Sequential(nn.Linear(2, 2), nn.Tanh())))
        ['1']
    """
    named = {site.path: site.name.removesuffix(".post") for site in sites_of(network).values() if site.side == "output"}
    found: dict[str, nn.Module] = {}
    inside = None
    for path, module in network.named_modules():
        if inside is not None and path.startswith(inside):
            continue  # a part of an activation
        if is_activation(module):
            found[named.get(path, path) or type(module).__name__] = module
            inside = f"{path}."
    if not found:
        raise InputError(
            f"ActivationDoctor finds no activation module in {type(network).__name__}; activations that are called as "
            "functions, such as torch.relu(x), cannot be seen: give them modules"
        )
    return found


@dataclass(frozen=True)
class Heard:
    """One call of an activation.

    Args:
        name: Name of the activation.
        call: Number of the call within the forward pass, from 0.
        x: What went in.
        y: What came out.
        options: Further arguments by name, such as ASH's `mask`.
    """

    name: str
    call: int
    x: Tensor
    y: Tensor
    options: dict[str, Any]


class Listener:
    """The hook at one activation.

    In eager mode it hands on every call of the pass. A compiled graph cannot call back: it hands out the tensors of the
    last call, which `release` hands on.
    """

    def __init__(self, name: str, module: nn.Module, take: Callable[[Heard], None], gate: Gate) -> None:
        self.name, self.module, self.take, self.gate = name, module, take, gate
        self.calls = 0
        self.before: Tensor | None = None
        self.held: tuple[Tensor, Tensor, dict[str, Any]] | None = None

    def install(self) -> list[RemovableHandle]:
        """Put the hook behind all that are there."""
        handles = [self.module.register_forward_hook(self.after_call, with_kwargs=True)]
        if getattr(self.module, "inplace", False):
            handles.append(self.module.register_forward_pre_hook(self.before_call))
        return handles

    def before_call(self, module: nn.Module, arguments: tuple) -> None:
        """Keep what an activation that works in place is about to overwrite."""
        self.before = arguments[0].detach().clone()

    def after_call(self, module: nn.Module, arguments: tuple, named: dict[str, Any], y: Any) -> None:
        """Hand on what went in and what came out."""
        given = (*arguments, *named.values())
        x, self.before = given[0] if self.before is None else self.before, None
        options = {**dict(zip(("mask", "batch"), arguments[1:], strict=False)), **named}
        if torch.compiler.is_compiling():
            self.held = (x.detach(), y.detach(), options)
        elif self.gate.open and isinstance(y, Tensor):
            self.take(Heard(self.name, self.calls, x.detach(), y.detach(), options))
            self.calls += 1

    def release(self) -> None:
        """Hand on what a compiled graph left."""
        held, self.held = self.held, None
        if held is not None and self.gate.lit:
            self.take(Heard(self.name, 0, *held))


class Listeners:
    """The hooks of a network.

    Args:
        network: The network.
        activations: Its activations by name.
        take: What is given every call.
    """

    def __init__(self, network: nn.Module, activations: dict[str, nn.Module], take: Callable[[Heard], None]) -> None:
        self.network = network
        self.gate = Gate(lambda site, x: None)
        self.listeners = [Listener(name, module, take, self.gate) for name, module in activations.items()]
        self._handles: list[RemovableHandle] = []

    def install(self) -> None:
        """Listen from now on."""
        self.gate.lit, self.gate.muted = True, False
        self._handles = [handle for listener in self.listeners for handle in listener.install()]
        self._handles.append(self.network.register_forward_pre_hook(self._begin_pass))
        self._handles += self.gate.around(self.network)

    def release(self) -> None:
        """Hand on what compiled graphs left."""
        for listener in self.listeners:
            listener.release()

    def remove(self) -> None:
        """Hand on what compiled graphs left, and listen no more."""
        self.release()
        for handle in self._handles:
            handle.remove()
        self._handles, self.gate.lit = [], False

    def _begin_pass(self, *_: Any) -> None:
        for listener in self.listeners:
            listener.calls = 0
