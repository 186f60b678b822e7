"""How many candidates each stage of a search left over."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .rows import PALETTE, SMALL, TEXT, Rows, column

__all__ = ["draw_funnel"]


def draw_funnel(
    stages: Sequence[str],
    counts: ArrayLike,
    notes: Sequence[str] = (),
    *,
    xlabel: str = "candidates left",
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw a bar per stage, as long as the logarithm of what it left over.

    Args:
        stages: Names of the N stages, first to last.
        counts: (N,) candidates that each left over; 0 draws no bar.
        notes: What stands at the right of each name, such as how long it took.
        xlabel: What is counted.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure of the height needed.

    Returns:
        The figure.

    Raises:
        ValueError: If the numbers of names and counts differ, or a count is negative.

    Example:
        >>> figure = draw_funnel(["proposed", "gate", "trained"], [7409, 6100, 10], ["1 s", "9 s", "80 s"])
        >>> [text.get_text() for text in figure.axes[0].texts][-3:]
        ['7,409', '6,100', '10']
    """
    values = column("counts", counts, len(stages))
    if not np.all(values >= 0):
        raise ValueError(f"counts are {values.tolist()}; none may be negative or undefined")
    drawn = Rows.named(stages, notes, axes=axes, tall=0.2, title=title)
    axes = drawn.axes
    longest = max(float(values.max(initial=1)), 10.0)
    lengths = np.log10(np.maximum(values, 1)) + 0.1 * (values > 0)  # one candidate is a short bar, none is no bar
    axes.barh(drawn.middles, lengths, height=drawn.tall, color=PALETTE[0], alpha=0.85)
    for middle, length, value in zip(drawn.middles, lengths, values, strict=True):
        axes.text(length + 0.05, middle, f"{int(value):,}", va="center", fontsize=SMALL)
    axes.set_xlim(0, np.log10(longest) * 1.22 + 0.1)
    ticks = np.arange(int(np.log10(longest)) + 1)
    axes.set_xticks(ticks + 0.1, [f"{10**tick:,}" for tick in ticks])
    axes.set_xlabel(f"{xlabel}, logarithmic", fontsize=TEXT)
    return axes.get_figure(root=True)  # type: ignore[return-value]
