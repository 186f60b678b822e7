"""Which modules DeepLIFT scales, which it may pass, and which it must refuse.

captum gives the plain gradient to a non-linearity that it does not know, and says nothing; here every module that
takes part in the forward pass is known, or refused by name.
"""

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd

from ..activations import is_activation
from ..errors import InputError
from ..models import EdgeLinear
from .elementwise import is_elementwise
from .explained import Explained

__all__ = ["Calls", "rescaled_modules", "watch_calls"]

# Linear in evaluation mode.
_LINEAR = (
    nn.Linear,
    EdgeLinear,
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    _BatchNorm,
    _DropoutNd,
    _ConvNd,
    _AvgPoolNd,
    _AdaptiveAvgPoolNd,
)
# Not linear, though all that their children show is linear layers.
_HIDDEN = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
_ADVICE = "take integrated_gradients or conductance"
# Entries of several rows tell whether rows are mixed, too.
_PROBED_ROWS = 4


@dataclass
class Calls:
    """How often each module was called in one forward pass, and which activations are elementwise.

    Example:
        >>> Calls().times[nn.Tanh()]
        0
    """

    times: Counter[nn.Module] = field(default_factory=Counter)
    elementwise: dict[nn.Module, bool] = field(default_factory=dict)


def watch_calls(explained: Explained, x: Tensor, probe: bool = False) -> Calls:
    """Run the network once and note its calls.

    Args:
        explained: The network.
        x: (B, F); a few rows are enough.
        probe: Whether activations are tried for being elementwise, on the values that reach them here.

    Example:
        >>> explained = Explained(nn.Sequential(nn.Linear(2, 2), nn.Softmax(dim=-1)))
        >>> calls = watch_calls(explained, torch.ones(2, 2, dtype=torch.float64), probe=True)
        >>> list(calls.elementwise.values())
        [False]
    """
    calls, entered, handles = Calls(), {}, []

    def keep(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        entered[module] = arguments[0].detach()[:_PROBED_ROWS].clone()  # before a module that works in place

    def note(module: nn.Module, arguments: tuple, output: object) -> None:
        calls.times[module] += 1
        if module in entered and module not in calls.elementwise:
            calls.elementwise[module] = is_elementwise(module.forward, entered[module])

    try:
        for module in explained.modules():
            if probe and is_activation(module):
                handles.append(module.register_forward_pre_hook(keep))
            handles.append(module.register_forward_hook(note))
        with torch.no_grad():
            explained(x)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def rescaled_modules(explained: Explained, calls: Calls) -> list[nn.Module]:
    """Return the elementwise activations of the network, to which the rescale rule applies.

    Raises:
        InputError: If an activation mixes entries or is called twice, or a module is neither known to be linear nor
            elementwise; the sentence names it and its place.

    Example:
        >>> explained = Explained(nn.Sequential(nn.Linear(2, 2), nn.Tanh()))
        >>> rescaled_modules(explained, watch_calls(explained, torch.ones(2, 2, dtype=torch.float64), probe=True))
        [Tanh()]
    """
    found: list[nn.Module] = []
    _collect(explained.network, "", calls, found)
    return found


def _collect(module: nn.Module, path: str, calls: Calls, found: list[nn.Module]) -> None:
    where = f"{path or 'the network'} ({type(module).__name__})"
    if not calls.times[module]:
        _collect_children(module, path, calls, found)  # lists and dictionaries of modules are never called
    elif is_activation(module):
        if getattr(module, "gated", False) or not calls.elementwise[module]:
            raise InputError(f"DeepLIFT has no rule for {where}, which mixes the entries of its input; {_ADVICE}")
        if calls.times[module] > 1:
            raise InputError(
                f"DeepLIFT needs a module of its own for every use, but {where} is called {calls.times[module]} times"
            )
        found.append(module)
    elif isinstance(module, _LINEAR):
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise InputError(f"DeepLIFT has no rule for {where} without running statistics; {_ADVICE}")
    elif isinstance(module, _HIDDEN) or not (isinstance(module, nn.Sequential) or list(module.children())):
        raise InputError(
            f"DeepLIFT has no rule for {where}, which is neither linear nor an elementwise activation; {_ADVICE}"
        )
    else:
        _collect_children(module, path, calls, found)


def _collect_children(module: nn.Module, path: str, calls: Calls, found: list[nn.Module]) -> None:
    for name, child in module.named_children():
        _collect(child, f"{path}.{name}" if path else name, calls, found)
