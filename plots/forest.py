"""Forest plot: paired differences with their intervals and the band that counts as no difference."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .rows import SMALL, TEXT, Rows, column

__all__ = ["draw_forest"]

# Colour and marker of each verdict, so that no colour is needed to tell them apart.
_STYLES: Mapping[str, dict[str, Any]] = {
    "better": {"color": "#0072b2", "marker": ">", "fill": True},
    "worse": {"color": "#d55e00", "marker": "<", "fill": True},
    "equivalent": {"color": "#00724f", "marker": "s", "fill": True},
    "inconclusive": {"color": "#555555", "marker": "o", "fill": False},
}


def draw_forest(
    names: Sequence[str],
    differences: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    verdicts: Sequence[str],
    rope: float,
    *,
    xlabel: str = "difference",
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    r"""Draw one row per comparison: its name, its verdict, and the difference with its interval beneath.

    The band of practical equivalence, from -rope to rope, is grey. A verdict is a colour, a marker and a word. What is
    not finite is not drawn; a row without any number says so.

    Args:
        names: Names of the N comparisons.
        differences: (N,) differences; positive where the first is better.
        lows: (N,) lower ends of the intervals.
        highs: (N,) upper ends.
        verdicts: better, worse, equivalent or inconclusive, per comparison.
        rope: Half the width of the band.
        xlabel: What the differences are of.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure of the height needed.

    Returns:
        The figure.

    Raises:
        ValueError: If the numbers of names and values differ, or a verdict is unknown.

    Example:
        >>> draw_forest(["real against shuffled"], [0.02], [0.005], [0.035], ["better"], rope=0.01).axes[0].get_xlabel()
        'difference\ngrey band: within ±0.01, practically equal'
    """
    rows = len(names)
    centre, low, high = (
        column(name, values, rows) for name, values in (("differences", differences), ("lows", lows), ("highs", highs))
    )
    unknown = [verdict for verdict in verdicts if verdict not in _STYLES]
    if unknown or len(verdicts) != rows:
        found = repr(unknown[0]) if unknown else f"{len(verdicts)} for {rows} names"
        raise ValueError(f"verdicts are {found}; give one of {', '.join(_STYLES)} per name")
    drawn = Rows.named(names, verdicts, axes=axes, foot=0.72, title=title)
    axes = drawn.axes
    for row, middle in enumerate(drawn.middles):
        drawn.shade(row, -rope, rope)
        drawn.mark_zero(row)
        style = _STYLES[verdicts[row]]
        colour = style["color"]
        if np.isfinite([low[row], high[row]]).all():
            axes.plot([low[row], high[row]], [middle] * 2, color=colour, linewidth=2, solid_capstyle="butt", zorder=3)
        if np.isfinite(centre[row]):
            face = colour if style["fill"] else "white"
            mark = {"markersize": 8, "markerfacecolor": face, "markeredgecolor": colour, "markeredgewidth": 1.5}
            axes.plot(centre[row], middle, style["marker"], zorder=4, **mark)
        else:
            axes.text(0, middle, "undefined", ha="center", va="center", fontsize=SMALL, style="italic", zorder=4)
    drawn.fit([*centre, *low, *high, -rope, rope])
    axes.set_xlabel(f"{xlabel}\ngrey band: within ±{rope:g}, practically equal", fontsize=TEXT, parse_math=False)
    return axes.get_figure(root=True)  # type: ignore[return-value]
