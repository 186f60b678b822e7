"""Score against dose: what the share of rewired edges costs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .rows import PALETTE, SMALL, TEXT, titled_panel

__all__ = ["draw_dose_response"]

_PANEL = 2.6


def draw_dose_response(
    fractions: ArrayLike,
    scores: ArrayLike,
    *,
    slope: float | None = None,
    slope_interval: Sequence[float] | None = None,
    xlabel: str = "share of edges rewired",
    ylabel: str = "score",
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw scores over the share of rewired edges, their mean per share, and a line of a given slope through them.

    The line goes through the mean point, as a least-squares line does; the grey wedge lies between the lines of the
    ends of the slope's interval. The slope is written under the axis: the change of the score from 0 to 1.

    Args:
        fractions: (N,) shares of rewired edges, from 0 to 1.
        scores: (N,) scores; a pair with a value that is not finite is left out.
        slope: Slope of the line; None draws none.
        slope_interval: Its lower and upper end.
        xlabel: What the dose is.
        ylabel: Name of the score.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure.

    Returns:
        The figure.

    Raises:
        ValueError: If there are more scores than fractions or fewer.

    Example:
        >>> figure = draw_dose_response([0, 0.5, 1], [0.8, 0.7, 0.6], slope=-0.2, slope_interval=(-0.25, -0.15))
        >>> figure.axes[0].get_xlabel().splitlines()[1]
        'slope −0.2 [−0.25, −0.15]'
    """
    dose, score = np.asarray(fractions, dtype=np.float64).ravel(), np.asarray(scores, dtype=np.float64).ravel()
    if dose.shape != score.shape:
        raise ValueError(f"{len(dose)} fractions and {len(score)} scores are given; give one score per fraction")
    known = np.isfinite(dose) & np.isfinite(score)
    dose, score = dose[known], score[known]
    axes = titled_panel(title, _PANEL, left=0.78, foot=0.72) if axes is None else axes
    label = xlabel
    if slope is not None and len(dose):
        label += "\n" + _draw_line(axes, float(dose.mean()), float(score.mean()), slope, slope_interval)
    axes.plot(dose, score, "o", color=PALETTE[0], markersize=4, alpha=0.45, markeredgewidth=0, zorder=3)
    doses = np.unique(dose)
    means = [score[dose == value].mean() for value in doses]
    axes.plot(doses, means, "D", color="black", markersize=6, markeredgecolor="white", zorder=4)
    axes.set_xlabel(label, fontsize=TEXT, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=TEXT, parse_math=False)
    axes.set_xlim(-0.04, 1.04)
    axes.tick_params(labelsize=SMALL)
    axes.locator_params(axis="y", nbins=6)
    axes.grid(alpha=0.3)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _draw_line(axes: Axes, x: float, y: float, slope: float, interval: Sequence[float] | None) -> str:
    """Draw the line through (x, y) with its wedge, and return what to write about it."""
    ends = np.array([0.0, 1.0])
    # the wedge meets in the mean point: three places draw it
    places = np.sort([*ends, x])
    style: dict[str, Any] = {"zorder": 1, "linewidth": 0}
    text = f"slope {_signed(slope)}"
    if interval is not None:
        low, high = interval
        lines = np.stack([y + low * (places - x), y + high * (places - x)])
        axes.fill_between(places, lines.min(axis=0), lines.max(axis=0), color="#d9d9d9", **style)
        text += f" [{_signed(low)}, {_signed(high)}]"
    axes.plot(ends, y + slope * (ends - x), color=PALETTE[1], linewidth=2, zorder=2)
    return text


def _signed(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
