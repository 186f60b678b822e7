"""Grafts: frozen copies of a network with the weights of a checkpoint."""

import copy
from collections.abc import Mapping
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from ...errors import InputError, shown

__all__ = ["load_graft"]


def load_graft(network: nn.Module, path: str, line: str) -> nn.Module:
    """Return a frozen copy of a network with the weights of a checkpoint: a Lightning checkpoint or a state dict.

    Args:
        network: The network.
        path: Path of the checkpoint. The names of the weights may stand behind the name of an attribute ("network.").
        line: How messages name the stimulus.

    Raises:
        InputError: If the file cannot be read or its weights are those of another network.

    Example:
        >>> load_graft(nn.Linear(2, 2), "run/absent.ckpt", "stimulus 1 (patch at 0)")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: stimulus 1 (patch at 0): checkpoint 'run/absent.ckpt' cannot be read: ...
    """
    state = _own_part(_read_weights(path, line), network)
    _compare(state, network, f"{line}: checkpoint {path!r}")
    graft = copy.deepcopy(network)
    graft.load_state_dict(state)
    return graft.eval().requires_grad_(False)


def _read_weights(path: str, line: str) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, UnpicklingError, RuntimeError) as error:
        raise InputError(f"{line}: checkpoint {path!r} cannot be read: {str(error).splitlines()[0]}") from error
    weights = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    return {str(name): value for name, value in weights.items() if isinstance(value, Tensor)}


def _own_part(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return the weights behind the prefix under which most names of the network are found."""
    own = network.state_dict()
    parts = [name.split(".") for name in weights]
    prefixes = {"".join(f"{part}." for part in each[:depth]) for each in parts for depth in range(len(each))} or {""}
    found = max(sorted(prefixes, key=len), key=lambda prefix: sum(prefix + name in weights for name in own))
    return {name.removeprefix(found): value for name, value in weights.items() if name.startswith(found)}


def _compare(state: Mapping[str, Tensor], network: nn.Module, begin: str) -> None:
    own = network.state_dict()
    missing = [name for name in own if name not in state]
    unknown = [name for name in state if name not in own]
    if missing or unknown:
        what = f"lacks {shown(missing, 3)}" if missing else f"has {shown(unknown, 3)}, which the network has not"
        raise InputError(f"{begin} {what}; it must be of the same network")
    for name, value in own.items():
        if state[name].shape != value.shape:
            shapes = f"has {name} of shape {tuple(state[name].shape)}, the network {tuple(value.shape)}"
            raise InputError(f"{begin} {shapes}; it must be of the same network")
