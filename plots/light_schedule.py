"""Light over time, as a laboratory draws it: one row per stimulus, pulses as bars, and what the loop looked at."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from .rows import PALETTE, TEXT, Rows

__all__ = ["draw_light"]

_TALL = 0.42


def draw_light(
    lights: Mapping[str, ArrayLike],
    traces: Mapping[str, ArrayLike] | None = None,
    *,
    steps: ArrayLike | None = None,
    xlabel: str = "step",
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw the intensity of each stimulus over the steps of a run, and beneath it what its loops read.

    All rows of light have one scale, from 0 to the strongest light of all, at least 1. At the right end of a name
    stands the share of the steps with light. Each trace has its own scale, whose ends stand at the right end of its
    name.

    Args:
        lights: (N,) intensities by the name of the stimulus.
        traces: (N,) values by their name, such as a loss or the rate of a site; NaN where there was none.
        steps: (N,) increasing numbers of the steps; None: 0, 1, 2, ...
        xlabel: What the steps are.
        title: Title of the figure.
        axes: Axes to draw on; None makes a figure.

    Returns:
        The figure.

    Raises:
        ValueError: If nothing is given, a row is not as long as the others, an intensity is negative or not finite, or
            the steps do not increase.

    Example:
        >>> lights = {"silence": [0, 1, 1, 0], "drive": [0.2, 0.4, 0.6, 0.8]}
        >>> figure = draw_light(lights, {"loss": [3.0, 2.0, 1.5, 1.2]})
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['silence', 'lit 50 %', 'drive', 'lit 100 %', 'loss', '1.2 to 3']
    """
    traces = traces or {}
    values = {name: _row(name, row) for name, row in (*lights.items(), *traces.items())}
    places = _check(values, lights, steps)
    notes = [
        *(f"lit {_percent(float(np.mean(values[name] > 0)))}" for name in lights),
        *(_extent(values[name]) for name in traces),
    ]
    rows = Rows.named(list(values), notes, axes=axes, tall=_TALL, title=title)
    strongest = max([1.0, *(float(values[name].max()) for name in lights)])
    for row, name in enumerate(values):
        floor = float(rows.middles[row]) + _TALL / 2
        if name in lights:
            _draw_bars(rows.axes, places, values[name] / strongest, floor, PALETTE[row % len(PALETTE)])
        else:
            _draw_trace(rows.axes, places[:-1], values[name], floor)
    rows.axes.set_xlim(places[0], places[-1])
    rows.axes.locator_params(axis="x", nbins=6, integer=True)
    rows.axes.set_xlabel(xlabel, fontsize=TEXT, parse_math=False)
    return rows.axes.get_figure(root=True)  # type: ignore[return-value]


def _row(name: str, row: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(row, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} has the shape {values.shape}; it must be (steps,)")
    return values


def _check(
    values: Mapping[str, NDArray], lights: Mapping[str, ArrayLike], steps: ArrayLike | None
) -> NDArray[np.float64]:
    """Return where each step begins and the last one ends."""
    if not values:
        raise ValueError("lights is empty; give at least one row")
    number = len(next(iter(values.values())))
    places = np.arange(number) if steps is None else np.asarray(steps, dtype=np.float64)
    for name, row in {**values, "steps": places}.items():
        if len(row) != number:
            raise ValueError(f"{name} has {len(row)} values where the first row has {number}; give one per step")
    for name in lights:
        if not (np.isfinite(values[name]).all() and (values[name] >= 0).all()):
            raise ValueError(f"{name} holds intensities below 0 or not finite; they must be 0 or more")
    if (np.diff(places) <= 0).any():
        raise ValueError("steps do not increase; give them in order, each once")
    last = places[-1] - places[-2] if number > 1 else 1.0
    return np.append(places, places[-1] + last).astype(np.float64)


def _draw_bars(axes: Axes, places: NDArray, levels: NDArray, floor: float, colour: str) -> None:
    """Fill under a staircase that has a corner only where the light changes, so that long runs stay small files."""
    changes = np.flatnonzero(np.diff(levels, prepend=np.nan) != 0)
    corners, heights = np.append(places[changes], places[-1]), np.append(levels[changes], levels[-1])
    axes.fill_between(corners, floor, floor - _TALL * heights, step="post", color=colour, linewidth=0, zorder=2)
    # a bar narrower than a pixel would vanish
    narrow = (np.diff(corners) < (places[-1] - places[0]) / 500) & (heights[:-1] > 0)
    middles = (corners[:-1] + corners[1:])[narrow] / 2
    axes.vlines(middles, floor, floor - _TALL * heights[:-1][narrow], color=colour, linewidth=0.7, zorder=2)
    axes.plot(places[[0, -1]], [floor, floor], color="#888888", linewidth=0.8, zorder=1)


def _draw_trace(axes: Axes, places: NDArray, values: NDArray, floor: float) -> None:
    known = np.isfinite(values)
    low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 1.0)
    share = (values - low) / (high - low) if high > low else np.where(known, 0.5, np.nan)
    # a value that stands alone between unknown ones is no line: the dot shows it
    marker = "." if known.sum() < 60 else ""
    axes.plot(places, floor - _TALL * share, color="#333333", linewidth=1.2, marker=marker, markersize=4, zorder=2)


def _percent(share: float) -> str:
    text = f"{100 * share:.0f}"
    if share > 0 and text == "0":
        return "< 1 %"
    return f"{text} %" if share == 1 or text != "100" else "> 99 %"


def _extent(values: NDArray) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "no value"
    low, high = (f"{value:.3g}".replace("-", "\N{MINUS SIGN}") for value in (known.min(), known.max()))
    return f"{low} to {high}"
