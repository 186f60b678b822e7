"""TeLU: the identity gated by a hyperbolic tangent of an exponential."""

import torch
from torch import Tensor

from .base import Activation
from .numerics import widen

__all__ = ["TeLU", "telu"]

# tanh(exp(10)) is 1 to the last bit of float64; further on, exp overflows and 0 * infinity spoils the
# gradient.
_LARGEST_EXPONENT = 10.0


def telu(x: Tensor) -> Tensor:
    """Compute x tanh(exp(x)).

    Example:
        >>> telu(torch.tensor([0.0, 1.0, 200.0]))
        tensor([  0.0000,   0.9913, 200.0000])
    """
    wide = widen(x)
    return (wide * torch.tanh(torch.exp(wide.clamp(max=_LARGEST_EXPONENT)))).to(x.dtype)


class TeLU(Activation):
    """TeLU: x tanh(exp(x)), without parameters; nearly the identity for x > 1.

    Shapes: any, output as input.

    Source: Fernandez and Mali, "TeLU activation function for fast and stable deep learning", arXiv
    2412.20269.

    Example:
        >>> TeLU()(torch.tensor([0.0, 200.0])).tolist()
        [0.0, 200.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return telu(x)
