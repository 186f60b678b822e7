"""The scores of null models with the real structure marked among them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .rows import SMALL, TEXT, Rows, column

__all__ = ["draw_null_distribution"]

_REAL = "#b04a00"  # dark enough to read


def draw_null_distribution(
    nulls: Mapping[str, ArrayLike],
    real: float | ArrayLike,
    p_values: Sequence[float] = (),
    *,
    xlabel: str = "score",
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw a histogram of scores per null model, the real score as a line through it, and the empirical p.

    Args:
        nulls: Scores of the draws by the null's name; what is not finite is left out and counted beside the name.
        real: The real score: one, or one per null.
        p_values: One per null, printed beside its name; none prints none.
        xlabel: Name of the score.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure of the height needed.

    Returns:
        The figure.

    Raises:
        ValueError: If the numbers of nulls, real scores and p-values differ.

    Example:
        >>> figure = draw_null_distribution({"DegreePreserving": [0.61, 0.64, 0.66]}, 0.71, [0.25])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['DegreePreserving', '3 draws, p = 0.25', 'real 0.71']
    """
    names = list(nulls)
    scores = [np.asarray(values, dtype=np.float64).ravel() for values in nulls.values()]
    reals = column("real", np.full(len(names), real) if np.ndim(real) == 0 else real, len(names))
    probabilities = column("p_values", p_values, len(names)) if len(p_values) else None
    notes = [_note(values, None if probabilities is None else probabilities[row]) for row, values in enumerate(scores)]
    drawn = Rows.named(names, notes, axes=axes, tall=0.55, head=0.22, title=title)
    axes = drawn.axes
    finite = [values[np.isfinite(values)] for values in scores]
    known = np.concatenate([*finite, reals[np.isfinite(reals)]])
    if len(known):
        low, high = float(known.min()), float(known.max())
        margin = 0.05 * (high - low) or 0.05
        edges = np.linspace(low - margin, high + margin, 31)
        for row, values in enumerate(finite):
            _draw_row(axes, values, edges, drawn.middles[row] + drawn.tall / 2, drawn.tall, reals[row])
        axes.set_xlim(edges[0], edges[-1])
        _name_real(axes, reals)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(xlabel, fontsize=TEXT, parse_math=False)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _note(values: np.ndarray, p_value: float | None) -> str:
    missing = int((~np.isfinite(values)).sum())
    draws = f"{len(values) - missing} draw{'s' if len(values) - missing != 1 else ''}"
    draws += f" ({missing} undefined)" if missing else ""
    return draws if p_value is None else f"{draws}, p = {p_value:.2g}"


def _draw_row(axes: Axes, values: np.ndarray, edges: np.ndarray, foot: float, tall: float, real: float) -> None:
    counts = np.histogram(values, edges)[0]
    heights = tall * counts / max(int(counts.max()), 1)
    axes.bar(
        edges[:-1], -heights, np.diff(edges), foot, align="edge", color="#9aa5ad", edgecolor="white", linewidth=0.4
    )
    axes.plot(edges[[0, -1]], [foot, foot], color="#777777", linewidth=0.8)
    if len(values):
        # thin line: the middle of the null
        axes.plot([np.median(values)] * 2, [foot, foot - tall], color="#333333", linewidth=1, linestyle=":")
    if np.isfinite(real):
        axes.plot([real, real], [foot, foot - tall], color=_REAL, linewidth=2, zorder=4)
        axes.plot(real, foot - tall / 2, "D", color=_REAL, markeredgecolor="white", markersize=7, zorder=5)


def _name_real(axes: Axes, reals: np.ndarray) -> None:
    """Write the real score once above the rows, at the side where there is room."""
    known = np.unique(reals[np.isfinite(reals)])
    if not len(known):
        return
    text = f"real {known[0]:.3g}" if len(known) == 1 else f"real {known[0]:.3g} to {known[-1]:.3g}"
    low, high = axes.get_xlim()
    at = float((known.mean() - low) / (high - low))
    side = "left" if at < 0.25 else "right" if at > 0.75 else "center"
    style = {"color": _REAL, "fontsize": SMALL + 0.5, "weight": "bold"}
    axes.text(at, 1.0, text, transform=axes.transAxes, ha=side, va="top", **style)
