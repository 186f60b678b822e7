"""Many candidates by size and score, and the front: those that no smaller one beats."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .rows import PALETTE, SMALL, TEXT, column, shortened, titled_panel

__all__ = ["draw_pareto"]

_PANEL = 2.9


def draw_pareto(
    sizes: ArrayLike,
    scores: ArrayLike,
    front: Sequence[int],
    names: Sequence[str],
    *,
    known: Mapping[str, float] | None = None,
    band: tuple[str, float, float] | None = None,
    larger_is_better: bool = True,
    xlabel: str = "nodes of the formula",
    ylabel: str = "score",
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw a point per candidate, the front as a stepped line with the names of its members, known ones as lines.

    Args:
        sizes: (N,) sizes.
        scores: (N,) scores; what is not finite is left out.
        front: Places of the candidates of the front.
        names: (N,) names.
        known: Scores of known functions, each a line across, named at its right end.
        band: Name, low and high end of a range drawn as a grey band, such as that of random controls.
        larger_is_better: Whether larger scores are better.
        xlabel: What the sizes are.
        ylabel: What the scores are.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure.

    Returns:
        The figure.

    Raises:
        ValueError: If the numbers of names and values differ.

    Example:
        >>> figure = draw_pareto([1, 2, 2], [0.7, 0.8, 0.75], [0, 1], ["x", "sin(x)", "abs(x)"], known={"ReLU": 0.78})
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['1', '1  x', '2', '2  sin(x)', 'ReLU']
    """
    rows = len(names)
    size, score = column("sizes", sizes, rows), column("scores", scores, rows)
    on_front = sorted((place for place in front if np.isfinite(score[place])), key=lambda place: size[place])
    key_lines = len(on_front)
    own = axes is None
    if axes is None:
        axes = titled_panel(title, _PANEL, left=0.78, foot=0.62 + 0.165 * key_lines)
    usual = np.setdiff1d(np.flatnonzero(np.isfinite(score)), on_front)
    if band is not None:
        axes.axhspan(band[1], band[2], color="#e3e3e3", linewidth=0, zorder=0)
    axes.scatter(size[usual], score[usual], s=12, color="#8aa4b8", linewidth=0, alpha=0.7, zorder=2)
    if on_front:
        axes.step(size[on_front], score[on_front], where="post", color=PALETTE[0], linewidth=1.4, zorder=3)
        axes.scatter(size[on_front], score[on_front], s=34, color=PALETTE[0], zorder=4, label="front")
    _name_front(axes, size, score, on_front, names, beneath=own, upwards=larger_is_better)
    _name_known(axes, known or {})
    if band is not None:
        text = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "left", "va": "top"}
        axes.annotate(band[0], (0, band[2]), xytext=(3, -2), fontsize=SMALL - 0.5, color="#555555", zorder=5, **text)
    axes.set_xlabel(xlabel, fontsize=TEXT)
    axes.set_ylabel(ylabel, fontsize=TEXT, parse_math=False)
    axes.tick_params(labelsize=SMALL)
    axes.locator_params(axis="x", integer=True, nbins=8)
    axes.margins(x=0.08, y=0.08)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _name_known(axes: Axes, known: Mapping[str, float]) -> None:
    """Draw a line per known function; the lowest is named beneath it, the others above, so that two keep apart."""
    finite = {name: value for name, value in known.items() if np.isfinite(value)}
    lowest = min(finite.values(), default=0.0)
    for name, value in finite.items():
        beneath = value == lowest and len(finite) > 1
        axes.axhline(value, color=PALETTE[1], linewidth=1, linestyle=":", zorder=1)
        axes.annotate(
            name, (1, value), xycoords=("axes fraction", "data"), xytext=(-2, -1.5 if beneath else 1.5),
            textcoords="offset points", ha="right", va="top" if beneath else "bottom", fontsize=SMALL - 0.5,
            color="#a83c00", zorder=5,
        )  # fmt: skip


def _name_front(
    axes: Axes,
    size: np.ndarray,
    score: np.ndarray,
    front: Sequence[int],
    names: Sequence[str],
    *,
    beneath: bool,
    upwards: bool,
) -> None:
    """Number the members of the front in the panel, and say beneath it what the numbers are."""
    for number, place in enumerate(front, start=1):
        axes.annotate(
            str(number), (size[place], score[place]), xytext=(0, 6 if upwards else -6), textcoords="offset points",
            ha="center", va="bottom" if upwards else "top", fontsize=SMALL, zorder=6,
        )  # fmt: skip
        said = f"{number}  {shortened(names[place], 44, 1)}"
        if beneath:
            drop = -(0.62 + 0.165 * (number - 1)) / _PANEL
            axes.text(-0.16, drop, said, transform=axes.transAxes, fontsize=SMALL, va="top", parse_math=False)
