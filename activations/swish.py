"""Swish: the gated identity with a trainable slope."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Activation
from .numerics import widen
from .parameters import add_parameter

__all__ = ["Swish", "swish"]


def swish(x: Tensor, beta: Tensor | float = 1.0) -> Tensor:
    """Compute x * sigmoid(beta * x).

    Example:
        >>> swish(torch.tensor([1.0]))
        tensor([0.7311])
    """
    wide = widen(x)
    return (wide * torch.sigmoid(beta * wide)).to(x.dtype)


class Swish(Activation):
    """Swish: x * sigmoid(beta x), beta trainable.

    beta = 1 is SiLU (`torch.nn.SiLU`, spec `silu`, where nothing is trained), beta = 0 is x / 2, beta to
    infinity ReLU.

    Shapes: any, output as input; beta differs between units along `unit_dimension`.

    Args:
        beta: Initial slope of the gate.
        trainable: Whether beta is trained.
        num_parameters: Values of beta: 1, or one per unit.
        groups: One label per unit; units of one label share beta.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.

    Raises:
        InputError: If beta is not a finite number.

    Source: Ramachandran, Zoph and Le, "Searching for activation functions", arXiv 1710.05941.

    Example:
        >>> Swish(beta=1.0, trainable=False)(torch.tensor([1.0]))
        tensor([0.7311])
    """

    beta: Tensor

    def __init__(
        self,
        beta: float = 1.0,
        *,
        trainable: bool = True,
        num_parameters: int = 1,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        add_parameter(self, "beta", beta, trainable)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return swish(x, self.per_unit(self.beta, x))
