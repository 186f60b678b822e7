"""Curves of many runs over anything that is counted: median and band per arm."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from .rows import LINE_STYLES, PALETTE, SMALL, TEXT, shortened, titled_panel

__all__ = ["draw_median_bands"]

_PANEL = 2.7
_LEGEND_LINE = 0.175
_CHARACTERS = 42
# A line through more points than this needs no marks.
_MARKED = 40


def draw_median_bands(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    xlabel: str,
    ylabel: str,
    coverage: float = 0.8,
    scale: Literal["linear", "log"] = "linear",
    level: float | None = None,
    title: str = "",
) -> Figure:
    """Draw the median over runs per arm, and the band that holds the middle share of the runs.

    The median, and not the mean, because runs leave a plateau at very different times: one that has not left it would
    be all that a mean shows.

    Args:
        curves: Per arm what is counted (N,), and the runs (R, N) or (N,); NaN where a run has no value.
        xlabel: What is counted.
        ylabel: What is measured.
        coverage: Share of the runs in the band, in (0, 1]; 1 reaches from the lowest to the highest.
        scale: Scale of the measured values.
        level: Value at which a thin line stands, such as the threshold of "learned".
        title: Title of the figure.

    Returns:
        The figure; its legend stands beneath the panel.

    Raises:
        ValueError: If the shapes do not fit or `coverage` lies outside (0, 1].

    Example:
        >>> figure = draw_median_bands({"free": ([0, 10], [[1.0, 0.9], [1.0, 0.1], [1.0, 0.2]])},
        ...                            xlabel="update", ylabel="loss")
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [1.0, 0.2]
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage is {coverage}; it must lie in (0, 1]")
    arrays = {name: _checked(name, x, runs) for name, (x, runs) in curves.items()}
    labels = {name: shortened(name, _CHARACTERS) for name in arrays}
    lines = sum(1 + label.count("\n") for label in labels.values())
    axes = titled_panel(title, _PANEL, left=0.72, foot=0.62 + _LEGEND_LINE * lines)
    for place, (name, (x, runs)) in enumerate(arrays.items()):
        known = np.isfinite(runs).any(axis=0)
        x, runs = x[known], runs[:, known]
        colour, style = PALETTE[place % len(PALETTE)], LINE_STYLES[place % len(LINE_STYLES)]
        if len(runs) > 1 and len(x):
            low, high = np.nanquantile(runs, [(1 - coverage) / 2, (1 + coverage) / 2], axis=0)
            axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        middle = np.nanmedian(runs, axis=0) if len(x) else []
        mark = "o" if len(x) <= _MARKED else ""
        axes.plot(
            x, middle, color=colour, linestyle=style, linewidth=1.8, marker=mark, markersize=3, label=labels[name]
        )
    if level is not None:
        axes.axhline(level, color="0.5", linewidth=0.8)
    _finish(axes, xlabel, ylabel, scale)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _checked(name: str, x: ArrayLike, runs: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    counted, measured = np.asarray(x, dtype=np.float64), np.atleast_2d(np.asarray(runs, dtype=np.float64))
    if counted.ndim != 1 or measured.ndim != 2 or measured.shape[1] != len(counted):
        raise ValueError(
            f"the curves of {name} have the shapes {counted.shape} and {measured.shape}; they must be (N,) and (R, N)"
        )
    return counted, np.where(np.isfinite(measured), measured, np.nan)


def _finish(axes: Axes, xlabel: str, ylabel: str, scale: str) -> None:
    axes.set_yscale(scale)
    axes.set_xlabel(xlabel, fontsize=TEXT, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=TEXT, parse_math=False)
    axes.tick_params(labelsize=SMALL)
    axes.grid(alpha=0.3)
    axes.locator_params(axis="x", nbins=6)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    beneath: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (-0.14, -0.47 / _PANEL)}
    legend = axes.legend(
        frameon=False, fontsize=SMALL + 0.5, handlelength=2.6, labelspacing=0.3, borderpad=0, borderaxespad=0, **beneath
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
