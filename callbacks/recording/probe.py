"""Hooks that read an activation and never change it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from torch.utils.module_tracker import ModuleTracker

from ...errors import InputError
from ...models import Site

__all__ = ["Gate", "Probe"]

Moment = Literal["before", "after"]


@dataclass
class Gate:
    """Whether hooks read, the same for all of a recorder's.

    Args:
        take: What is called with a site and its activation.
        lit: Whether the batch is recorded; set between batches alone.
        muted: Whether the network runs for somebody else: the pass that a stimulus takes its values from.

    Example:
        >>> Gate(print).open
        False
    """

    take: Callable[[Site, Tensor], None]
    lit: bool = False
    muted: bool = False

    @property
    def open(self) -> bool:
        """Whether a hook reads now: not while a checkpointed part is computed a second time, within the backward."""
        return self.lit and not self.muted and not _tracker.is_bw

    def mute(self, *_: Any) -> None:
        """As the first hook before the network's forward: what other hooks there compute is not recorded."""
        self.muted = True

    def unmute(self, *_: Any) -> None:
        """As the last hook before the network's forward."""
        self.muted = False

    def around(self, network: nn.Module) -> list[RemovableHandle]:
        """Mute while other hooks before the network's forward run."""
        return [
            network.register_forward_pre_hook(self.mute, prepend=True),
            network.register_forward_pre_hook(self.unmute),
        ]

    def __deepcopy__(self, memo: dict) -> "Gate":
        """Stay shut in the copy of a network, such as the one that averages weights."""
        return Gate(_ignore)


class Probe:
    """A hook at one site.

    In eager mode it hands the activation on while the gate is open and costs one look at the gate otherwise. Compiled,
    it has no say: the graph hands out the activation at every step, as `held`, and nothing looks at it on ordinary
    ones; the last call of a step counts.

    Args:
        site: The site.
        gate: The gate.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3))
        >>> gate = Gate(lambda site, x: print(site.name, tuple(x.shape)), lit=True)
        >>> handle = Probe(Site("first", "0"), gate).install(network, "after")
        >>> _ = network(torch.ones(4, 2))
        first (4, 3)
        >>> handle.remove()
    """

    def __init__(self, site: Site, gate: Gate) -> None:
        self.site, self.gate = site, gate
        self.held: Tensor | None = None

    def install(self, network: nn.Module, moment: Moment) -> RemovableHandle:
        """Register itself: behind all hooks that are there ("after" stimulation) or in front of them ("before")."""
        module = network.get_submodule(self.site.path)
        first = moment == "before"
        if self.site.side == "input":
            return module.register_forward_pre_hook(self.read_input, prepend=first, with_kwargs=True)
        return module.register_forward_hook(self.read_output, prepend=first)

    def read_output(self, module: nn.Module, arguments: tuple, output: Any) -> None:
        """Read what a module puts out."""
        self._read(output)

    def read_input(self, module: nn.Module, arguments: tuple, named: dict[str, Any]) -> None:
        """Read the first tensor that a module is given."""
        tensors = [value for value in (*arguments, *named.values()) if isinstance(value, Tensor)]
        self._read(tensors or None)

    def _read(self, value: Any) -> None:
        if torch.compiler.is_compiling():
            self.held = _first_tensor(value, self.site).detach()
        elif self.gate.open:
            self.gate.take(self.site, _first_tensor(value, self.site))

    def release(self) -> None:
        """Hand on what a compiled graph left, if the batch is recorded, and let go of it."""
        held, self.held = self.held, None
        if held is not None and self.gate.lit:
            self.gate.take(self.site, held)


# Asks torch whether a backward pass runs in this thread; used for that alone, never entered.
_tracker = ModuleTracker()


def _ignore(site: Site, x: Tensor) -> None:
    """Take nothing."""


def _first_tensor(value: Any, site: Site) -> Tensor:
    if isinstance(value, Sequence) and value:
        value = value[0]
    if not isinstance(value, Tensor):
        raise InputError(
            f"site {site.name} holds {type(value).__name__} instead of a tensor; choose a module inside or behind it"
        )
    return value
