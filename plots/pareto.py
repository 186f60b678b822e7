"""Many candidates by size and score, and the front: those that no smaller one beats."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .rows import PALETTE, SMALL, TEXT, column, shortened, titled_panel

__all__ = ["draw_pareto"]

_PANEL = 2.9
_FOOT = 0.75
# Share of the candidates on the worse side that may be left out, so that a few failures hide no difference.
_LOST = 0.1


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
        scores: (N,) scores; what is not finite is left out. The axis leaves out the worst tenth where it lies far
            away, and says so.
        front: Places of the candidates of the front.
        names: (N,) names.
        known: Scores of known functions, each a line across, named at its right end.
        band: Name, low and high end of a range drawn as a grey band, such as that of random controls; where it lies
            out of the picture its ends are written instead.
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
    own = axes is None
    if axes is None:
        axes = titled_panel(title, _PANEL, left=0.78, foot=_FOOT + 0.165 * len(on_front))
    usual = np.setdiff1d(np.flatnonzero(np.isfinite(score)), on_front)
    low, high = _range(score, [*score[on_front], *(known or {}).values()], larger_is_better)
    axes.scatter(size[usual], score[usual], s=12, color="#8aa4b8", linewidth=0, alpha=0.7, zorder=2)
    if on_front:
        axes.step(size[on_front], score[on_front], where="post", color=PALETTE[0], linewidth=1.4, zorder=3)
        axes.scatter(size[on_front], score[on_front], s=34, color=PALETTE[0], zorder=4, label="front")
    _name_front(axes, size, score, on_front, names, beneath=own, upwards=larger_is_better)
    _name_known(axes, known or {})
    if band is not None:
        _draw_band(axes, *band, low, high)
    if np.isfinite(size).any():  # one size alone would have ticks between the whole numbers
        margin = 0.08 * float(np.nanmax(size) - np.nanmin(size)) or 1.0
        axes.set_xlim(float(np.nanmin(size)) - margin, float(np.nanmax(size)) + margin)
    axes.set_ylim(low, high)
    outside = int(np.sum((score < low) | (score > high)))
    if outside:
        xlabel = f"{xlabel}\n{outside:,} lie out of the picture"
    axes.set_xlabel(xlabel, fontsize=TEXT, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=TEXT, parse_math=False)
    axes.tick_params(labelsize=SMALL)
    axes.locator_params(axis="x", integer=True, nbins=8)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _range(score: np.ndarray, shown: Sequence[float], larger_is_better: bool) -> tuple[float, float]:
    """Return the ends of the axis: what must be shown, and all scores but the worst tenth."""
    finite = score[np.isfinite(score)]
    values = [value for value in shown if np.isfinite(value)]
    if len(finite):
        values += list(np.quantile(finite, [_LOST, 1.0] if larger_is_better else [0.0, 1 - _LOST]))
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = 0.12 * (high - low) or 0.01 * max(abs(high), 1e-6)
    return low - margin, high + margin


def _draw_band(axes: Axes, name: str, first: float, last: float, low: float, high: float) -> None:
    """Draw the part of a range that is in the picture, with its name; where none is, write where it lies."""
    inside = max(first, low), min(last, high)
    style: dict[str, Any] = {"fontsize": SMALL - 0.5, "color": "#555555", "zorder": 5, "ha": "left"}
    if inside[0] < inside[1]:
        axes.axhspan(*inside, color="#e3e3e3", linewidth=0, zorder=0)
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes.annotate(name, (0, inside[1]), xytext=(3, -2), va="top", **place, **style)
        return
    above = first >= high
    said = f"{name}: {first:.4g} to {last:.4g}, {'above' if above else 'below'} the picture"
    axes.text(0.01, 0.99 if above else 0.01, said, transform=axes.transAxes, va="top" if above else "bottom", **style)


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
            drop = -(_FOOT + 0.165 * (number - 1)) / _PANEL
            axes.text(-0.16, drop, said, transform=axes.transAxes, fontsize=SMALL, va="top", parse_math=False)
