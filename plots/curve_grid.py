"""Small pictures of many functions and their slopes, each beside the same known one."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from .rows import PALETTE, SMALL, WIDTH, new_figure, shortened

__all__ = ["draw_curve_grid"]

_PANEL = 1.35  # inches
_GREY = "#8a8a8a"
_LARGEST = 1.5  # what lies beyond this many times the known function's size is cut off
Curve = tuple[ArrayLike, ArrayLike]


def draw_curve_grid(
    x: ArrayLike,
    curves: Mapping[str, Curve],
    known: tuple[str, Curve],
    *,
    notes: Sequence[str] = (),
    columns: int = 2,
    title: str = "",
) -> Figure:
    """Draw one panel per function: value (solid) and slope (dashed), the known function's in grey behind them.

    All panels share both axes, so that they can be compared; a curve that runs far out of them is cut off.

    Args:
        x: (N,) arguments.
        curves: Values (N,) and slopes (N,) by name.
        known: Name, values and slopes of the function that stands behind each.
        notes: A line beneath each name, such as a score.
        columns: Panels beside one another.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no curve, a curve has another length than `x`, or the notes are more or fewer.

    Example:
        >>> x = np.linspace(-2, 2, 5)
        >>> relu = ("ReLU", (np.maximum(x, 0), x > 0))
        >>> figure = draw_curve_grid(x, {"x*x": (x * x, 2 * x), "x": (x, x * 0 + 1)}, relu)
        >>> len(figure.axes), [line.get_label() for line in figure.axes[0].lines]
        (2, ['_ReLU', '_slope of ReLU', 'value', 'slope'])
    """
    arguments = np.asarray(x, dtype=np.float64)
    if not curves or (notes and len(notes) != len(curves)):
        raise ValueError(f"{len(curves)} curves and {len(notes)} notes are given; give at least one curve, a note each")
    drawn = {name: _checked(name, curve, arguments) for name, curve in {**curves, known[0]: known[1]}.items()}
    low, high = _range(drawn, known[0])
    rows = -(-len(curves) // columns)
    head, foot = 0.1 + 0.22 * bool(title), 0.5
    label = 0.42 if notes else 0.28
    height = head + rows * (_PANEL + label) + foot
    figure = new_figure(height, WIDTH * columns / 2)
    if title:
        figure.text(0.03, 1 - 0.1 / height, shortened(title, 23 * columns, 1), fontsize=SMALL + 1.5, va="top")
    across = 1 / columns
    for place, name in enumerate(curves):
        row, column = divmod(place, columns)
        bottom = (height - head - (row + 1) * (_PANEL + label) + 0.02) / height
        axes = figure.add_axes((column * across + 0.19 * across, bottom, 0.78 * across, _PANEL / height))
        _panel(axes, arguments, drawn[name], drawn[known[0]], known[0])
        axes.set_ylim(low, high)
        said = "\n".join([shortened(name, 27, 1), *([notes[place]] if notes else [])])
        axes.set_title(said, fontsize=SMALL, loc="left", pad=3, linespacing=1.15, parse_math=False)
        axes.tick_params(labelbottom=row == rows - 1 or place + columns >= len(curves))
    _legend(figure, known[0])
    return figure


def _checked(name: str, curve: Curve, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    value, slope = (np.asarray(part, dtype=np.float64) for part in curve)
    if value.shape != x.shape or slope.shape != x.shape:
        raise ValueError(f"the curve {name!r} has the shapes {value.shape}, {slope.shape}; x has {x.shape}")
    return value, slope


def _range(drawn: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], known: str) -> tuple[float, float]:
    """Return the ends of the y axis: all curves, but none far beyond the known function."""
    size = _LARGEST * max(float(np.nanmax(np.abs(drawn[known][0]))), 1.0)
    values = np.concatenate([np.concatenate(pair) for pair in drawn.values()])
    values = values[np.isfinite(values) & (np.abs(values) <= size)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (-1.0, 1.0)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _panel(axes: Axes, x: NDArray[np.float64], curve: Curve, known: Curve, name: str) -> None:
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.plot(x, known[0], color=_GREY, linewidth=1.1, label=f"_{name}")
    axes.plot(x, known[1], color=_GREY, linewidth=0.9, linestyle="--", label=f"_slope of {name}")
    axes.plot(x, curve[0], color=PALETTE[0], linewidth=1.9, label="value")
    axes.plot(x, curve[1], color=PALETTE[1], linewidth=1.3, linestyle="--", label="slope")
    axes.set_xlim(float(x.min()), float(x.max()))
    axes.tick_params(labelsize=SMALL - 1, length=2, pad=2)
    axes.locator_params(nbins=5)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)


def _legend(figure: Figure, name: str) -> None:
    first = figure.axes[0].lines
    handles = [first[-2], first[-1], first[-4]]
    figure.legend(
        handles,
        ["value", "slope", f"{name} (dashed: its slope)"],
        loc="lower left",
        bbox_to_anchor=(0.02, 0.0),
        ncols=3,
        frameon=False,
        fontsize=SMALL,
        handlelength=1.6,
        columnspacing=1.2,
    )
