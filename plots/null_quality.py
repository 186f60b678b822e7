"""What null models leave of a network: shares of live parts and of shared edges, as a table of bars."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from .rows import PALETTE, SMALL, TEXT, Rows, shortened

__all__ = ["draw_null_quality"]

_BAR = 0.58  # of the width of a cell; its number takes the rest


def draw_null_quality(
    names: Sequence[str],
    quantities: Sequence[str],
    means: ArrayLike,
    lows: ArrayLike | None = None,
    highs: ArrayLike | None = None,
    *,
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw a row per null model and a bar per share: its mean over draws, and a line from the least to the most.

    Args:
        names: Names of the N null models.
        quantities: Names of the Q shares, such as live inputs, live nodes, live edges and edge overlap.
        means: (N, Q) means over draws, from 0 to 1; NaN draws no bar.
        lows: (N, Q) least values; None draws no line.
        highs: (N, Q) largest values.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure of the height needed.

    Returns:
        The figure.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> shares = [[1.0, 1.0, 0.23], [0.89, 0.42, 0.01]]
        >>> quantities = ["live inputs", "live nodes", "edge overlap"]
        >>> figure = draw_null_quality(["DegreePreserving", "ErdosRenyi"], quantities, shares)
        >>> len(figure.axes[0].patches)
        12
    """
    shape = (len(names), len(quantities))
    values = _table("means", means, shape)
    spread = None
    if lows is not None and highs is not None:
        spread = _table("lows", lows, shape), _table("highs", highs, shape)
    heads = [shortened(name, max(8, 44 // max(len(quantities), 1)), lines=3) for name in quantities]
    lines = max((1 + head.count("\n") for head in heads), default=1)
    drawn = Rows.named(names, axes=axes, tall=0.2, head=0.17 * lines + 0.05, foot=0.1, title=title)
    axes = drawn.axes
    axes.set_xlim(0, len(quantities))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for place, head in enumerate(heads):
        axes.text(place, 0.02, head, fontsize=SMALL, va="top", color="#444444", linespacing=1.1, parse_math=False)
    for row, middle in enumerate(drawn.middles):
        for place in range(shape[1]):
            ends = None if spread is None else (float(spread[0][row, place]), float(spread[1][row, place]))
            _draw_cell(axes, place, float(middle), drawn.tall, float(values[row, place]), ends)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _draw_cell(
    axes: Axes, left: float, middle: float, tall: float, value: float, ends: tuple[float, float] | None
) -> None:
    foot = middle - tall / 2
    axes.add_patch(Rectangle((left, foot), _BAR, tall, facecolor="#e9e9e9", edgecolor="#bbbbbb", linewidth=0.5))
    known = np.isfinite(value)
    axes.add_patch(Rectangle((left, foot), _BAR * value if known else 0, tall, facecolor=PALETTE[0], linewidth=0))
    if known and ends is not None and np.isfinite(ends).all():
        places = [left + _BAR * end for end in ends]
        # white under black shows on the bar and beside it
        axes.plot(places, [middle] * 2, color="white", linewidth=3, solid_capstyle="butt")
        axes.plot(places, [middle] * 2, color="black", linewidth=1.2, marker="|", markersize=5)
    text = f"{value:.2f}" if known else "NaN"
    axes.text(left + _BAR + 0.06, middle, text, fontsize=TEXT, va="center")


def _table(name: str, values: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape}; with the names given it must be {shape}")
    return array
