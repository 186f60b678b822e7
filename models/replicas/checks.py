"""Whether modules that stand at the same place of many networks can become one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError

__all__ = ["are_alike", "check_alike", "named"]

# Buffers that are part of the architecture and belong to all replicas.
_SHARED = {"columns", "loss_weights", "prediction_weights"}
# The text that an activation was built from names its values, which may differ.
_TEXT = "spec"
_PLAIN = (bool, int, float, str, tuple, type(None))


def named(path: str, module: nn.Module) -> str:
    """Return how a message calls a module."""
    return f"{path} ({type(module).__name__})" if path else f"the network ({type(module).__name__})"


def check_alike(modules: Sequence[nn.Module], path: str, settings: Sequence[str] | None) -> None:
    """Check that modules differ in nothing but edges and values.

    Args:
        modules: Those at the same place of every network.
        path: That place.
        settings: Attributes that must agree; None: all that are plain values.

    Raises:
        InputError: Naming the module, what differs, and the replica.
    """
    head = modules[0]
    _check_single(head, path)
    if (found := _difference(modules, settings)) is not None:
        _refuse(head, path, *found)


def are_alike(modules: Sequence[nn.Module]) -> bool:
    """Whether modules differ in nothing but values.

    Example:
        >>> are_alike([nn.LeakyReLU(0.1), nn.LeakyReLU(0.1)]), are_alike([nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)])
        (True, False)
    """
    return _difference(modules, None) is None


def _difference(modules: Sequence[nn.Module], settings: Sequence[str] | None) -> tuple[str, object, object, int] | None:
    """Return what differs first from the first module: its name, the two values, and the place of the other module."""
    head = modules[0]
    expected = _description(head, settings)
    for place, module in enumerate(modules[1:], start=1):
        if type(module) is not type(head):
            return "class", type(head).__name__, type(module).__name__, place
        found = _description(module, settings)
        for key in expected | found:
            if expected.get(key) != found.get(key):
                return key, expected.get(key), found.get(key), place
        for name, value in head.named_buffers(recurse=False):
            if name in _SHARED and not torch.equal(value, module.get_buffer(name)):
                return name, value.tolist(), module.get_buffer(name).tolist(), place
    return None


def _check_single(module: nn.Module, path: str) -> None:
    if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
        raise InputError(f"{named(path, module)} has hooks, which would see all replicas at once; remove them first")
    if getattr(module, "channels", None) is not None:
        raise InputError(f"{named(path, module)} has channels of its own and cannot be stacked; leave channels out")


def _description(module: nn.Module, settings: Sequence[str] | None) -> dict[str, Any]:
    """Return what must agree: settings, names of parts, shapes of values."""
    if settings is None:
        plain = {key: value for key, value in vars(module).items() if isinstance(value, _PLAIN) and key != _TEXT}
    else:
        plain = {key: getattr(module, key) for key in settings}
    shapes = {name: _shape(module, name, value) for name, value in module.named_parameters(recurse=False)}
    return {**plain, **shapes, "parts": [name for name, _ in module.named_children()]}


def _shape(module: nn.Module, name: str, value: Tensor) -> tuple[Any, ...]:
    shape = () if name == "weight" and hasattr(module, "structure") else tuple(value.shape)
    return (*shape, str(value.dtype), value.requires_grad)


def _refuse(module: nn.Module, path: str, key: str, expected: object, found: object, place: int) -> None:
    raise InputError(
        f"{named(path, module)} cannot be stacked: {key} is {expected} in replica 0 and {found} in replica {place}; "
        "replicas differ in edges, seeds, values and activations alone"
    )
