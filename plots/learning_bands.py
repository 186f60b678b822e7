"""Learning curves of many runs: mean and band per arm."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from .rows import LINE_STYLES, PALETTE, SMALL, TEXT, shortened, titled_panel

__all__ = ["draw_learning_bands"]

_PANEL = 2.7
_LEGEND_LINE = 0.175
_CHARACTERS = 42


def draw_learning_bands(
    curves: Mapping[str, ArrayLike],
    *,
    ylabel: str = "loss",
    coverage: float = 0.8,
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw the mean over runs per arm and the band that holds the middle share of the runs.

    Args:
        curves: (runs, epochs) per arm, or (epochs,) of a single run; NaN where a run has ended. An epoch without a
            value is left out.
        ylabel: What is drawn over epochs.
        coverage: Share of the runs in the band, in (0, 1]; 1 reaches from the lowest to the highest.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure, whose legend stands beneath the panel.

    Returns:
        The figure.

    Raises:
        ValueError: If a curve has more than two dimensions or `coverage` lies outside (0, 1].

    Example:
        >>> figure = draw_learning_bands({"real": [[1.0, 0.5], [0.9, 0.6]], "dense": [1.0, 0.8]})
        >>> [round(float(value), 6) for value in figure.axes[0].lines[0].get_ydata()]
        [0.95, 0.55]
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage is {coverage}; it must lie in (0, 1]")
    arrays = {name: _runs_by_epochs(name, values) for name, values in curves.items()}
    own = axes is None
    labels = {name: shortened(name, _CHARACTERS) for name in arrays}
    if axes is None:
        lines = sum(1 + label.count("\n") for label in labels.values())
        axes = titled_panel(title, _PANEL, left=0.72, foot=0.55 + _LEGEND_LINE * lines)
    for place, (name, runs) in enumerate(arrays.items()):
        known = np.isfinite(runs).any(axis=0)
        epochs, runs = 1 + np.flatnonzero(known), runs[:, known]
        colour, style = PALETTE[place % len(PALETTE)], LINE_STYLES[place % len(LINE_STYLES)]
        if len(epochs):
            low, high = np.nanquantile(runs, [(1 - coverage) / 2, (1 + coverage) / 2], axis=0)
            axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
        mean = np.nanmean(runs, axis=0) if len(epochs) else []
        axes.plot(epochs, mean, color=colour, linestyle=style, linewidth=1.8, label=labels[name])
    axes.set_xlabel("epoch", fontsize=TEXT)
    axes.set_ylabel(ylabel, fontsize=TEXT, parse_math=False)
    axes.tick_params(labelsize=SMALL)
    axes.grid(alpha=0.3)
    axes.locator_params(axis="x", nbins=6, integer=True)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    _add_legend(axes, own)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _runs_by_epochs(name: str, values: ArrayLike) -> NDArray[np.float64]:
    runs = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if runs.ndim != 2:
        raise ValueError(f"the curves of {name} have the shape {runs.shape}; they must be (runs, epochs)")
    return np.where(np.isfinite(runs), runs, np.nan)


def _add_legend(axes: Axes, beneath: bool) -> None:
    beneath_panel = {"loc": "upper left", "bbox_to_anchor": (-0.14, -0.42 / _PANEL)}
    where: dict[str, Any] = beneath_panel if beneath else {"loc": "best"}
    legend = axes.legend(
        frameon=False, fontsize=SMALL + 0.5, handlelength=2.6, labelspacing=0.3, borderpad=0, borderaxespad=0, **where
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
