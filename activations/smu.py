"""SMU: a smooth maximum of two lines."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Activation
from .numerics import widen
from .parameters import add_parameter

__all__ = ["SMU", "smu"]


def smu(x: Tensor, mu: Tensor | float = 1.0, alpha: float = 0.25) -> Tensor:
    """Compute ((1 + alpha) x + (1 - alpha) x erf(mu (1 - alpha) x)) / 2, a smooth max(x, alpha x).

    Example:
        >>> smu(torch.tensor([-2.0, 2.0]), mu=100.0)
        tensor([-0.5000,  2.0000])
    """
    wide = widen(x)
    steep = (1 - alpha) * wide
    return (0.5 * ((1 + alpha) * wide + steep * torch.erf(mu * steep))).to(x.dtype)


class SMU(Activation):
    """SMU: the maximum of x and alpha x, smoothed by the error function; mu trainable.

    mu to infinity is the leaky rectifier of slope alpha, mu = 0 the line (1 + alpha) x / 2. The authors' code
    starts at mu = 1e6, where the function is that rectifier in float32 and mu receives no gradient; here mu
    starts at 1.

    Shapes: any, output as input; mu differs between units along `unit_dimension`.

    Args:
        mu: Initial sharpness.
        alpha: Slope of the negative side, fixed.
        trainable: Whether mu is trained.
        num_parameters: Values of mu: 1, or one per unit.
        groups: One label per unit; units of one label share mu.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.

    Raises:
        InputError: If mu is not a finite number.

    Source: Biswas et al., "SMU: smooth activation function for deep networks using smoothing maximum
    technique", arXiv 2111.04682.

    Example:
        >>> SMU(mu=100.0, trainable=False)(torch.tensor([-2.0, 2.0]))
        tensor([-0.5000,  2.0000])
    """

    mu: Tensor

    def __init__(
        self,
        mu: float = 1.0,
        alpha: float = 0.25,
        *,
        trainable: bool = True,
        num_parameters: int = 1,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        self.alpha = alpha
        add_parameter(self, "mu", mu, trainable)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return smu(x, self.per_unit(self.mu, x), self.alpha)
