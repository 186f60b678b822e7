"""Periodic activations: Snake and the growing cosine unit."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Activation
from .numerics import widen
from .parameters import add_parameter

__all__ = ["GrowingCosine", "Snake", "growing_cosine", "snake"]


def snake(x: Tensor, a: Tensor | float = 1.0) -> Tensor:
    """Compute x + sin(a x)^2 / a, and its limit x for a = 0.

    Example:
        >>> snake(torch.tensor([math.pi / 2]))
        tensor([2.5708])
    """
    wide = widen(x)
    angle = a * wide
    # sin(ax)^2 / a = x sin(ax) sinc(ax): no division, so a may pass through zero while it is trained.
    return (wide + wide * torch.sin(angle) * torch.sinc(angle / math.pi)).to(x.dtype)


def growing_cosine(x: Tensor) -> Tensor:
    """Compute x cos(x).

    Example:
        >>> growing_cosine(torch.tensor([0.0, math.pi]))
        tensor([ 0.0000, -3.1416])
    """
    wide = widen(x)
    return (wide * torch.cos(wide)).to(x.dtype)


class Snake(Activation):
    """Snake: x + sin(a x)^2 / a, monotone and periodic, a trainable.

    Shapes: any, output as input; a differs between units along `unit_dimension`.

    Limitations: for |a x| beyond about 1e4 the phase carries few correct digits in float32, none in half
    types.

    Args:
        a: Initial frequency; 0 is the identity.
        trainable: Whether a is trained.
        num_parameters: Values of a: 1, or one per unit.
        groups: One label per unit; units of one label share a.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.

    Raises:
        InputError: If a is not a finite number.

    Source: Ziyin, Hartwig and Ueda, "Neural networks fail to learn periodic functions and how to fix it",
    NeurIPS 2020, arXiv 2006.08195.

    Example:
        >>> Snake(a=0.0)(torch.tensor([3.0])).item()
        3.0
    """

    a: Tensor

    def __init__(
        self,
        a: float = 1.0,
        *,
        trainable: bool = True,
        num_parameters: int = 1,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        add_parameter(self, "a", a, trainable)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return snake(x, self.per_unit(self.a, x))


class GrowingCosine(Activation):
    """Growing cosine unit: x cos(x), without parameters.

    Shapes: any, output as input.

    Limitations: oscillates with growing amplitude, so inputs want to be normalised; its phase loses digits
    for large arguments in half types.

    Source: Noel et al., "Growing cosine unit", arXiv 2108.12943.

    Example:
        >>> GrowingCosine()(torch.zeros(2))
        tensor([0., 0.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return growing_cosine(x)
