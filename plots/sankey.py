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

__all__ = ["draw_sankey", "order_nodes", "stack_nodes"]

Floats: TypeAlias = NDArray[np.float64]
Links: TypeAlias = Sequence[tuple[int, int, ArrayLike, ArrayLike]]

# All lengths in inches.
_COLUMN = 3.3
_BAR = 0.16
_GAP = 0.07
_LINE = 0.135
_SLOT = 2 * _LINE
_CHARACTERS = 36
_LINES = 2
_HEAD = 1.0
_FOOT = 0.75
_BODY = 4.0  # total height of the bars of a layer, before it is made to fit
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
    height = max(3.5, max(len(size) for size in amounts) * (_SLOT + 2 * _GAP))
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


def order_nodes(signs: Sequence[Floats], links: Sequence[tuple[int, int, NDArray, Floats]]) -> list[NDArray[np.int64]]:
    """Return the places of the nodes of each layer from top to foot, so that few links cross.

    Each layer in turn is sorted by the mean height of what its nodes are linked with, there and back a few times;
    nodes whose sign is NaN come last.

    Args:
        signs: (N,) per layer.
        links: (source layer, target layer, (2, E) places, (E,) flows).

    Example:
        >>> crossed = [(0, 1, np.array([[0, 1], [1, 0]]), np.ones(2))]
        >>> [order.tolist() for order in order_nodes([np.ones(2), np.ones(2)], crossed)]
        [[0, 1], [1, 0]]
    """
    heights = [np.linspace(0, 1, len(sign)) if len(sign) > 1 else np.full(1, 0.5) for sign in signs]
    orders = [np.arange(len(sign)) for sign in signs]
    last = len(signs) - 1
    for layer in [*range(1, last + 1), *range(last - 1, -1, -1)] * 4:
        pull, weight = np.zeros(len(signs[layer])), np.zeros(len(signs[layer]))
        for source, target, pairs, flow in links:
            for own, other, end in ((source, target, 0), (target, source, 1)):
                if own == layer:
                    np.add.at(pull, pairs[end], flow * heights[other][pairs[1 - end]])
                    np.add.at(weight, pairs[end], flow)
        wanted = np.where(weight > 0, pull / np.where(weight > 0, weight, 1), heights[layer])
        orders[layer] = np.lexsort((wanted, np.isnan(signs[layer])))
        heights[layer][orders[layer]] = np.linspace(0, 1, len(wanted)) if len(wanted) > 1 else 0.5
    return orders


def stack_nodes(sizes: Sequence[Floats], orders: Sequence[NDArray], height: float) -> list[Floats]:
    """Return foot and top (N, 2) of every bar; no two bars, nor their labels, overlap.

    Example:
        >>> low, high = stack_nodes([np.array([1.0, 3.0])], [np.array([0, 1])], 3.5)[0].T
        >>> bool(low[0] > high[1]), ((high - low) / (high - low).sum()).round(2).tolist()
        (True, [0.25, 0.75])
    """
    body = min(_BODY, *(_fitting(size, height) for size in sizes))
    bars = []
    for size, order in zip(sizes, orders, strict=True):
        bar = size / size.sum() * body
        slot = np.maximum(bar, _SLOT)
        gap = (height - slot.sum()) / len(slot)  # the room left over is shared, half of it above each node
        centre = np.empty(len(slot))
        centre[order] = height - np.cumsum(slot[order] + gap) + (slot[order] + gap) / 2
        bars.append(np.stack([centre - bar / 2, centre + bar / 2], axis=1))
    return bars


def _fitting(size: Floats, height: float) -> float:
    """Return how long the bars of a layer may be in all, so that their slots fit into the height."""
    body = height
    while np.maximum(size / size.sum() * body, _SLOT).sum() + _GAP * len(size) > height and body > 0.1:
        body *= 0.97
    return body


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
        alpha, order = (0.18, 1) if grey else (0.45, 2)
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
