"""Importance of nodes judged against what the same nodes get under null models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .rows import PALETTE, TEXT, Rows, column

__all__ = ["draw_calibrated_importance"]


def draw_calibrated_importance(
    names: Sequence[str],
    z: ArrayLike,
    null_low: ArrayLike = -1.96,
    null_high: ArrayLike = 1.96,
    p_values: ArrayLike | None = None,
    *,
    xlabel: str = "importance: z against the null",
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw one row per node: the grey band that its null importances fill, and its real importance as z.

    A node outside its band has a filled marker, one inside an open one.

    Args:
        names: Names of the N nodes, in the order of the rows.
        z: (N,) importance minus the mean of the null importances, over their standard deviation.
        null_low: Lower end of the null band in the same unit: one for all, or (N,).
        null_high: Upper end.
        p_values: (N,) empirical p-values, printed beside the names; None prints none.
        xlabel: What z is of.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure of the height needed.

    Returns:
        The figure.

    Raises:
        ValueError: If the numbers of names and values differ.

    Example:
        >>> figure = draw_calibrated_importance(["DNA repair", "Metabolism"], [3.1, 0.4], p_values=[0.01, 0.6])
        >>> [line.get_markerfacecolor() for line in figure.axes[0].lines if line.get_marker() == "D"]
        ['#0072b2', 'white']
    """
    rows = len(names)
    score = column("z", z, rows)
    low, high = (
        column(name, np.broadcast_to(values, (rows,)) if np.ndim(values) == 0 else values, rows)
        for name, values in (("null_low", null_low), ("null_high", null_high))
    )
    notes = [] if p_values is None else [_note(p) for p in column("p_values", p_values, rows)]
    drawn = Rows.named(names, notes, axes=axes, tall=0.2, title=title)
    axes = drawn.axes
    for row, middle in enumerate(drawn.middles):
        drawn.mark_zero(row)
        if np.isfinite([low[row], high[row]]).all():
            drawn.shade(row, low[row], high[row])
        if np.isfinite(score[row]):
            outside = not low[row] <= score[row] <= high[row]
            mark: dict[str, Any] = {"markersize": 7, "markeredgewidth": 1.4, "markeredgecolor": PALETTE[0], "zorder": 3}
            axes.plot(score[row], middle, "D", markerfacecolor=PALETTE[0] if outside else "white", **mark)
            axes.plot([0, score[row]], [middle] * 2, color=PALETTE[0], linewidth=1.2, zorder=2)
    drawn.fit([*score, *low, *high])
    axes.set_xlabel(f"{xlabel}\ngrey: what the null gives", fontsize=TEXT, parse_math=False)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _note(p_value: float) -> str:
    return f"p = {p_value:.2g}" if np.isfinite(p_value) else "undefined"
