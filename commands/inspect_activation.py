"""`axonlight inspect activation SPEC`: draw an activation and its derivative."""

import math
import re
from pathlib import Path

import torch

from ..activations import build_activation
from ..activations.curves import activation_curve
from ..errors import InputError
from ..plots.curves import draw_curve

__all__ = ["draw_activation"]

_POINTS = 801
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
