"""The trainable numbers of activations: how they are made, and how an optimizer finds them."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from ..errors import InputError
from .base import Activation, is_activation

__all__ = ["activation_parameters", "add_parameter", "named_activation_parameters"]


def add_parameter(module: Activation, name: str, value: float, trainable: bool = True) -> None:
    """Give an activation one named value per unit or group, all equal at first.

    Args:
        module: The activation; its `num_parameters` P decides the shape (P,).
        name: Attribute name.
        value: Initial value.
        trainable: True makes a parameter, False a buffer; both are part of the state.

    Raises:
        InputError: If the value is not a finite number.

    Example:
        >>> gate = Activation(num_parameters=2)
        >>> add_parameter(gate, "beta", 1.5)
        >>> gate.beta.tolist()
        [1.5, 1.5]
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"{name} is {value!r}; it must be a finite number")
    values = torch.full((module.num_parameters,), float(value))
    if trainable:
        module.register_parameter(name, nn.Parameter(values))
    else:
        module.register_buffer(name, values)


def named_activation_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield path and parameter of everything trainable that belongs to an activation, each parameter once.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
        >>> [name for name, _ in named_activation_parameters(model)]
        ['1.weight']
    """
    seen: set[int] = set()
    for path, module in model.named_modules():
        if not is_activation(module):
            continue
        for name, parameter in module.named_parameters(prefix=path):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter


def activation_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return every parameter owned by an activation, for an optimizer group without weight decay.

    Decay would pull a threshold or a slope towards zero, which for these is a function, not simplicity.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
        >>> len(activation_parameters(model))
        1
    """
    return [parameter for _, parameter in named_activation_parameters(model)]
