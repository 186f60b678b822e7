"""Value and slope of an activation, as curves over its input."""

import torch
from torch import Tensor, nn

from ..errors import InputError

__all__ = ["activation_curve"]

_COMPANIONS = 255


def activation_curve(activation: nn.Module, x: Tensor, companions_mean: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return value and derivative of an activation for each x.

    An activation gated by statistics depends on the rest of its sample, so every x is put into a sample of
    its own, beside the quantiles of a normal distribution. Elementwise activations do not notice.

    Args:
        activation: Module of width 1.
        x: (N,) arguments.
        companions_mean: Mean of the normal distribution beside them.

    Returns:
        (N,) values and (N,) derivatives.

    Raises:
        InputError: If the activation changes the shape of its input.

    Example:
        >>> value, derivative = activation_curve(nn.ReLU(), torch.tensor([-1.0, 2.0]))
        >>> value.tolist(), derivative.tolist()
        ([0.0, 2.0], [0.0, 1.0])
    """
    levels = (torch.arange(_COMPANIONS, dtype=torch.float64) + 0.5) / _COMPANIONS
    companions = (torch.special.ndtri(levels) + companions_mean).to(x.dtype)
    x = x.detach().clone().requires_grad_()
    # (N, channel, height, width): the sample, a channel and the last dimension all hold the same values.
    samples = torch.cat([x[:, None], companions.expand(len(x), -1)], dim=1)[:, None, None, :]
    result = activation(samples)
    if result.shape != samples.shape:
        raise InputError(
            f"{type(activation).__name__} turns the shape {tuple(samples.shape)} into {tuple(result.shape)}, "
            "so it has no curve; an activation keeps the shape"
        )
    value = result[:, 0, 0, 0]
    (derivative,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), derivative
