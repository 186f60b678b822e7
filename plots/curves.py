"""Curves of one variable: a function and its derivative."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

__all__ = ["draw_curve"]


def draw_curve(
    x: ArrayLike,
    value: ArrayLike,
    derivative: ArrayLike,
    title: str,
    path: Path,
) -> Path:
    """Draw a function and its derivative over x into an image file.

    No window is opened and matplotlib's global state is not touched, so it works on any machine and in any
    thread.

    Args:
        x: (N,) arguments.
        value: (N,) function values.
        derivative: (N,) derivatives.
        title: Title of the figure.
        path: Image file; its suffix decides the format, and missing folders are made.

    Returns:
        `path`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw_curve([0, 1], [0, 1], [0, 2], "x^2", Path(folder) / "square.png").stat().st_size > 1000
        True
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.axvline(0, color="0.8", linewidth=0.8)
    axes.plot(x, value, label="value", linewidth=2)
    axes.plot(x, derivative, label="derivative", linewidth=1.2, linestyle="--")
    axes.set(xlabel="x", xlim=(np.min(x), np.max(x)))
    axes.set_title(title, fontsize="medium", wrap=True, parse_math=False)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path
