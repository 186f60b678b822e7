"""`axonlight inspect activation SPEC`: draw an activation and its derivative."""

import math
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from ..activations import build_activation
from ..errors import InputError
from ..plots.curves import draw_curve

__all__ = ["activation_curve", "draw_activation"]

_POINTS = 801
_COMPANIONS = 255
_SUFFIXES = (".png", ".pdf", ".svg")


def draw_activation(spec: str, output: Path | None = None, low: float = -5.0, high: float = 5.0) -> Path:
    """Draw value and derivative of an activation to an image.

    Args:
        spec: The activation, as anywhere else (`ash(z=0.5)`).
        output: File to write (.png, .pdf or .svg); without it, activation_NAME.png in the working directory.
        low: Left end of the x axis.
        high: Right end of the x axis.

    Returns:
        The file written.

    Raises:
        InputError: If the spec cannot be read, the ends are not in order or the file has another suffix.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw_activation("ash(z=0.5)", Path(folder) / "ash.png").name
        'ash.png'
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"low is {low} and high is {high}; both must be finite and low smaller than high")
    path = output or Path(f"activation_{re.sub(r'[^A-Za-z0-9.=-]+', '_', spec).strip('_.')[:80]}.png")
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"output is {path}; its suffix must be one of {', '.join(_SUFFIXES)}")
    activation = build_activation(spec, width=1).double().eval()
    x = torch.linspace(low, high, _POINTS, dtype=torch.float64)
    value, derivative = activation_curve(activation, x)
    elementwise = torch.equal(value, activation_curve(activation, x, companions_mean=1.0)[0])
    note = "" if elementwise else "\nthe other values of the sample: standard normal"
    return draw_curve(x.numpy(), value.numpy(), derivative.numpy(), f"{spec}{note}", path)


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
