"""Put hooks on a network and take exactly those off again."""

from collections.abc import Iterable
from typing import Any

import torch
import torch._dynamo
from torch import nn

from .stimulator import Stimulator

__all__ = ["Installation", "explain_silence", "guard_hooks", "stimulators_of"]


class Installation:
    """The hooks of one protocol on one network; at most once on it at a time.

    Args:
        network: The network.
        stimulators: What acts at its sites.
        before_pass: Pre-hook of the network itself, called with keyword arguments too, or None.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> from axonlight.stimulation import Scene
        >>> network = DenseNetwork(30, 1, hidden=[3])
        >>> installation = Installation(network, [Stimulator("layers.0", "output", Scene())])
        >>> installation.install()
        >>> len(stimulators_of(network))
        1
        >>> installation.remove()
        >>> stimulators_of(network)
        []
    """

    def __init__(self, network: nn.Module, stimulators: Iterable[Stimulator], before_pass: Any = None) -> None:
        self.network = network
        self.stimulators = list(stimulators)
        self.before_pass = before_pass
        self._handles: list[Any] = []

    @property
    def is_installed(self) -> bool:
        """Whether the hooks are on the network."""
        return bool(self._handles)

    def install(self) -> None:
        """Put the hooks on; a second call changes nothing. Compilers are told to look at hooks, see `guard_hooks`."""
        if self._handles:
            return
        guard_hooks()
        for stimulator in self.stimulators:
            module = self.network.get_submodule(stimulator.path)
            if stimulator.side == "input":
                self._handles.append(module.register_forward_pre_hook(stimulator.on_input, with_kwargs=True))
            else:
                self._handles.append(module.register_forward_hook(stimulator.on_output))
        if self.before_pass is not None:
            self._handles.append(self.network.register_forward_pre_hook(self.before_pass, with_kwargs=True))

    def remove(self) -> None:
        """Take them off, whatever others have put on; a second call changes nothing.

        A compiled graph keeps what it traced: the gates are closed first.
        """
        for stimulator in self.stimulators:
            stimulator.darken()
        for handle in self._handles:
            handle.remove()
        self._handles = []


def guard_hooks() -> None:
    """Let compilers look at hooks again whenever a graph is about to run, in this process from now on.

    By default they look when they trace a network and never again. A graph from before the hooks would run on without
    them, and so would that of any other network of the same class and shapes, which `torch.compile` shares: an arm of
    a study would silently be that of another one. What was traced without such guards is forgotten, once.

    Example:
        >>> guard_hooks()
        >>> torch._dynamo.config.skip_nnmodule_hook_guards
        False
    """
    if torch._dynamo.config.skip_nnmodule_hook_guards:
        torch._dynamo.config.skip_nnmodule_hook_guards = False
        torch.compiler.reset()


def stimulators_of(network: nn.Module) -> list[Stimulator]:
    """Return the stimulators that are on a network, of all protocols.

    Example:
        >>> stimulators_of(nn.Linear(2, 2))
        []
    """
    hooks = [
        hook
        for module in network.modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    ]
    owners = [getattr(hook, "__self__", None) for hook in hooks]
    return [owner for owner in owners if isinstance(owner, Stimulator)]


def explain_silence(network: nn.Module, stimulator: Stimulator) -> str:
    """Return why no activation may have come by at a site.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> network = nn.ModuleDict({"attention": nn.MultiheadAttention(4, 2)})
        >>> explain_silence(network, Stimulator("attention.out_proj", "output", Scene()))
        'nn.MultiheadAttention calls its projections as functions, so that their modules never run; take attention ...
    """
    parent, _, _ = stimulator.path.rpartition(".")
    above = network.get_submodule(parent)
    if isinstance(above, nn.MultiheadAttention):
        return (
            "nn.MultiheadAttention calls its projections as functions, so that their modules never run; "
            f"take {parent or 'the attention module'} itself, or a network with electrodes in its attention"
        )
    path = stimulator.path
    while path:
        path = path.rpartition(".")[0]
        module = network.get_submodule(path)
        if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerEncoder)):
            return (
                f"{type(module).__name__} took its fused path, which runs no module within; take {path or 'all of it'}"
            )
    return (
        "the forward pass does not come by, or runs in a graph that was captured before the hooks were put on; take a "
        "module that the network calls (not one whose weights it reads), and export or capture it later"
    )
