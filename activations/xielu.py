"""xIELU: quadratic for positive input, integrated ELU for negative input."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import InputError
from .base import Activation
from .numerics import widen
from .parameters import add_parameter

__all__ = ["XIELU", "xielu"]


def xielu(x: Tensor, alpha_p: Tensor | float, alpha_n: Tensor | float, beta: float = 0.5) -> Tensor:
    """Compute alpha_p x^2 + beta x for x > 0, else alpha_n (exp(x) - 1 - x) + beta x.

    Example:
        >>> xielu(torch.tensor([-1.0, 1.0]), 0.8, 0.8)
        tensor([-0.2057,  1.3000])
    """
    wide = widen(x)
    # Each half sees its own side only, so exp never overflows and no branch leaks a gradient into the other.
    positive, negative = wide.clamp(min=0), wide.clamp(max=0)
    curved = alpha_p * positive * positive + alpha_n * (torch.expm1(negative) - negative)
    return (curved + beta * wide).to(x.dtype)


class XIELU(Activation):
    """xIELU: a function whose gradient grows linearly for x > 0 and is an ELU for x <= 0.

    The slopes stay in range while trained: alpha_p = softplus(raw), alpha_n = beta + softplus(raw).

    Shapes: any, output as input; both slopes differ between units along `unit_dimension`.

    Limitations: grows as x^2, so float16 output is infinite for x beyond about 280.

    Args:
        alpha_p: Initial slope of the gradient for x > 0, positive.
        alpha_n: Initial size of the exponential part, greater than `beta`.
        beta: Slope at 0, fixed.
        trainable: Whether both slopes are trained.
        num_parameters: Values of each slope: 1, or one per unit.
        groups: One label per unit; units of one label share values.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.

    Raises:
        InputError: If `alpha_p` is not positive or `alpha_n` not greater than `beta`.

    Source: Huang and Schlag, "Deriving activation functions using integration", arXiv 2411.13010.

    Example:
        >>> XIELU(trainable=False)(torch.tensor([1.0]))
        tensor([1.3000])
    """

    raw_alpha_p: Tensor
    raw_alpha_n: Tensor

    def __init__(
        self,
        alpha_p: float = 0.8,
        alpha_n: float = 0.8,
        beta: float = 0.5,
        *,
        trainable: bool = True,
        num_parameters: int = 1,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        if not alpha_p > 0:
            raise InputError(f"alpha_p is {alpha_p}; it must be positive")
        if not alpha_n > beta:
            raise InputError(f"alpha_n is {alpha_n}; it must be greater than beta, which is {beta}")
        self.beta = beta
        add_parameter(self, "raw_alpha_p", _inverse_softplus(alpha_p), trainable)
        add_parameter(self, "raw_alpha_n", _inverse_softplus(alpha_n - beta), trainable)

    @property
    def alpha_p(self) -> Tensor:
        """Slope of the gradient for x > 0, (P,)."""
        return F.softplus(self.raw_alpha_p)

    @property
    def alpha_n(self) -> Tensor:
        """Size of the exponential part, (P,)."""
        return self.beta + F.softplus(self.raw_alpha_n)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return xielu(x, self.per_unit(self.alpha_p, x), self.per_unit(self.alpha_n, x), self.beta)


def _inverse_softplus(value: float) -> float:
    return value + math.log(-math.expm1(-value))
