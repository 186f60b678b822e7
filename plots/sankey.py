"""A layered drawing in the manner of Sankey: bars for nodes, bands for what flows between them."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from numpy.typing import ArrayLike, NDArray

from .stacking import GAP, SLOT, order_nodes, stack_nodes

__all__ = ["draw_sankey"]

Floats: TypeAlias = NDArray[np.float64]
Links: TypeAlias = Sequence[tuple[int, int, ArrayLike, ArrayLike]]

# All lengths in inches.
_COLUMN = 3.3
_BAR = 0.16
_CHARACTERS = 36
_LINES = 2
_HEAD = 1.0
_FOOT = 0.75
_GREY = "#b8b8b8"
_SIGNS = LinearSegmentedColormap.from_list("signs", ["#2166ac", "#9b7bb5", "#b2182b"])


def draw_sankey(
    layers: Sequence[str],
    labels: Sequence[Sequence[str]],
    sizes: Sequence[ArrayLike],
    links: Links,
    path: str | Path,
    *,
    signs: Sequence[ArrayLike] | None = None,
    sign_label: str = "",
    title: str = "",
) -> Path:
    """Draw nodes of consecutive layers as bars and the flow between them as bands into an image file.

    The heights of the bars of a layer are its nodes' sizes, the layer's total being one length for all layers. A band
    takes its share of the bar at each end, so it may widen on its way. Nodes are ordered so that few bands cross; one
    whose sign is NaN is grey and stands at the foot of its layer, for what is not shown one by one.

    Args:
        layers: What to write above each layer.
        labels: Names of the nodes per layer; long ones are broken into two lines and shortened.
        sizes: Positive numbers (N,) per layer.
        links: (source layer, target layer, (2, E) places, (E,) positive flows).
        path: Image file; its suffix decides the format, and missing folders are made.
        signs: (N,) per layer, from -1 (blue) to 1 (red); None is 1 everywhere.
        sign_label: What the colours mean; empty leaves the colour bar out.
        title: Title of the figure.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> links = [(0, 1, [[0, 1], [0, 0]], [2.0, 1.0])]
        >>> path = tempfile.mkdtemp() + "/tiny.png"
        >>> draw_sankey(["genes", "pathways"], [["a", "b"], ["all"]], [[2, 1], [3]], links, path).name
        'tiny.png'
    """
    amounts = [np.asarray(size, dtype=np.float64) for size in sizes]
    shades = [np.ones(len(size)) for size in amounts] if signs is None else [np.asarray(s, float) for s in signs]
    blocks = [
        (a, b, np.asarray(pairs, dtype=np.int64).reshape(2, -1), np.asarray(f, float)) for a, b, pairs, f in links
    ]
    height = max(3.5, max(len(size) for size in amounts) * (SLOT + 2 * GAP))
    orders = order_nodes(shades, blocks)
    bars = stack_nodes(amounts, orders, height)
    width = _COLUMN * len(layers) + 0.2
    figure = Figure(figsize=(width, height + _HEAD + _FOOT))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(-_FOOT, height + _HEAD))
    axes.set_axis_off()
    for source, target, pairs, flow in blocks:
        _draw_links(axes, (source, target), pairs, flow, bars, shades)
    for layer, name in enumerate(layers):
        _draw_layer(axes, layer, name, labels[layer], bars[layer], shades[layer], height)
    axes.text(_left(0), height + _HEAD - 0.3, title, fontsize=11, va="center", parse_math=False)
    if sign_label:
        _draw_key(figure, width, height, sign_label)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def _left(layer: int) -> float:
    return 0.15 + layer * _COLUMN


def _colour(sign: float) -> str | tuple:
    return _GREY if np.isnan(sign) else _SIGNS((sign + 1) / 2)


def _draw_links(
    axes: Axes,
    between: tuple[int, int],
    pairs: NDArray,
    flow: Floats,
    bars: Sequence[Floats],
    signs: Sequence[Floats],
) -> None:
    source, target = between
    middle = [bars[layer].mean(axis=1)[places] for layer, places in zip(between, pairs, strict=True)]
    starts = _shares(bars[source], pairs[0], flow, middle[1])
    ends = _shares(bars[target], pairs[1], flow, middle[0])
    x0, x1 = _left(source) + _BAR, _left(target)
    for edge in range(len(flow)):
        sign = float(signs[source][pairs[0, edge]])
        grey = np.isnan(sign) or np.isnan(signs[target][pairs[1, edge]])
        band = _band(x0, starts[edge], x1, ends[edge])
        # What passes other layers on its way lies behind, as what is grey does.
        behind = grey or target - source > 1
        alpha, order = (0.18 if behind else 0.45), (1 if behind else 2)
        axes.add_patch(PathPatch(band, facecolor=_colour(sign), alpha=alpha, linewidth=0, zorder=order))


def _shares(bars: Floats, places: NDArray, flow: Floats, other: Floats) -> Floats:
    """Divide each bar among its links, highest partner on top; (E, 2) foot and top."""
    found = np.empty((len(flow), 2))
    for place in np.unique(places):
        edges = np.flatnonzero(places == place)
        edges = edges[np.argsort(other[edges], kind="stable")]
        foot, top = bars[place]
        bounds = foot + (top - foot) * np.concatenate([[0], np.cumsum(flow[edges]) / flow[edges].sum()])
        found[edges] = np.stack([bounds[:-1], bounds[1:]], axis=1)
    return found


def _band(x0: float, start: Floats, x1: float, end: Floats) -> Outline:
    bend = (x0 + x1) / 2
    points = [
        (x0, start[1]),
        (bend, start[1]),
        (bend, end[1]),
        (x1, end[1]),
        (x1, end[0]),
        (bend, end[0]),
        (bend, start[0]),
        (x0, start[0]),
        (x0, start[1]),
    ]
    curve = [Outline.CURVE4] * 3
    return Outline(points, [Outline.MOVETO, *curve, Outline.LINETO, *curve, Outline.CLOSEPOLY])


def _draw_layer(
    axes: Axes, layer: int, name: str, labels: Sequence[str], bars: Floats, signs: Floats, height: float
) -> None:
    x = _left(layer)
    axes.text(x, height + 0.3, name, fontsize=8.5, va="center", color="#444444", parse_math=False)
    halo = [patheffects.withStroke(linewidth=2.2, foreground="white", alpha=0.85)]
    for label, (foot, top), sign in zip(labels, bars, signs, strict=True):
        axes.add_patch(Rectangle((x, foot), _BAR, top - foot, facecolor=_colour(sign), linewidth=0, zorder=3))
        lines = textwrap.wrap(label, _CHARACTERS, max_lines=_LINES, placeholder=" …") or [""]
        text = "\n".join(line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 1]}…" for line in lines)
        axes.text(
            x + _BAR + 0.05,
            (foot + top) / 2,
            text,
            fontsize=7.5,
            va="center",
            linespacing=1.05,
            zorder=4,
            path_effects=halo,
            color="#777777" if np.isnan(sign) else "black",
            parse_math=False,
        )


def _draw_key(figure: Figure, width: float, height: float, label: str) -> None:
    total = height + _HEAD + _FOOT
    place = figure.add_axes((_left(0) / width, 0.38 / total, 2.2 / width, 0.11 / total))
    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), _SIGNS), cax=place, orientation="horizontal", ticks=[-1, 0, 1]
    )
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    figure.text((_left(0) + 2.4) / width, 0.43 / total, label, fontsize=8, va="center", parse_math=False)
