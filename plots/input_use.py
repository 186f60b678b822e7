"""How much a score changes when parts of a model's input are taken away."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .rows import PALETTE, TEXT, Rows, column

__all__ = ["draw_input_use"]


def draw_input_use(
    names: Sequence[str],
    changes: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    *,
    xlabel: str = "change of the score",
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw one row per probe: the change of the score, with its interval.

    A change whose interval excludes zero has a filled marker, another an open one; one that is not finite says so.

    Args:
        names: What was done, N probes.
        changes: (N,) score after less score before.
        lows: (N,) lower ends of the intervals.
        highs: (N,) upper ends.
        xlabel: What the changes are of.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure of the height needed.

    Returns:
        The figure.

    Raises:
        ValueError: If the numbers of names and values differ.

    Example:
        >>> figure = draw_input_use(["rna permuted", "slides dropped"], [-0.1, 0.0], [-0.15, -0.02], [-0.05, 0.02])
        >>> [line.get_markerfacecolor() for line in figure.axes[0].lines if line.get_marker() == "o"]
        ['#0072b2', 'white']
    """
    centre, low, high = (
        column(name, values, len(names)) for name, values in (("changes", changes), ("lows", lows), ("highs", highs))
    )
    notes = [f"{value:+.3f}" if np.isfinite(value) else "undefined" for value in centre]
    drawn = Rows.named(names, notes, axes=axes, tall=0.2, title=title)
    axes = drawn.axes
    for row, middle in enumerate(drawn.middles):
        drawn.mark_zero(row)
        ends = [low[row], high[row]]
        if np.isfinite(ends).all():
            axes.plot(ends, [middle] * 2, color=PALETTE[0], linewidth=1.8, solid_capstyle="butt", zorder=2)
        if np.isfinite(centre[row]):
            told = low[row] > 0 or high[row] < 0
            mark: dict[str, Any] = {"markersize": 7, "markeredgewidth": 1.4, "markeredgecolor": PALETTE[0], "zorder": 3}
            axes.plot(centre[row], middle, "o", markerfacecolor=PALETTE[0] if told else "white", **mark)
    drawn.fit([*centre, *low, *high])
    axes.set_xlabel(f"{xlabel}\nfilled: the interval excludes 0", fontsize=TEXT, parse_math=False)
    return axes.get_figure(root=True)  # type: ignore[return-value]
