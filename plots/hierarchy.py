"""Layers of nodes and the edges between them, drawn from the features on the left to the roots on the right."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

__all__ = ["arrange_nodes", "draw_hierarchy"]

Edges: TypeAlias = Sequence[tuple[int, int, ArrayLike]]
Floats: TypeAlias = NDArray[np.float64]

_LABELLED = 40
_LONGEST_LABEL = 44
_FIGURE = (13.0, 8.5)


def draw_hierarchy(
    layers: Sequence[str], labels: Sequence[Sequence[str]], edges: Edges, path: Path, title: str = ""
) -> Path:
    """Draw a hierarchy into an image file.

    Every node and every edge is drawn. A node stands near the mean height of its parents and has the colour of
    one of them, so the branches of the roots can be followed. The nodes of the highest layer are named, and those of
    other layers that have most edges from below.

    Args:
        layers: Names of the layers, features first.
        labels: What to write beside the nodes, per layer.
        edges: (source layer, target layer, (2, E) places), as `Hierarchy.edges`.
        path: Image file; its suffix decides the format, and missing folders are made.
        title: Title of the figure.

    Returns:
        `path`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "tiny.png"
        ...     draw_hierarchy(["genes", "cell"], [["a", "b"], ["all"]], [(0, 1, [[0, 1], [0, 0]])], path).name
        'tiny.png'
    """
    blocks = [(source, target, np.asarray(pairs, dtype=np.int64).reshape(2, -1)) for source, target, pairs in edges]
    sizes = [len(names) for names in labels]
    heights, colours = arrange_nodes(sizes, blocks)
    figure = Figure(figsize=_FIGURE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for source, target, pairs in blocks:
        _draw_edges(axes, source, target, pairs, heights, colours)
    for layer, (name, height) in enumerate(zip(layers, heights, strict=True)):
        size = float(np.clip(2000 / max(sizes[layer], 1), 2, 40))
        axes.scatter(np.full(len(height), layer), height, s=size, c=colours[layer], zorder=2, linewidths=0)
        axes.text(layer, 1.03, f"{name}\n{sizes[layer]:,}", ha="center", va="bottom", fontsize="medium")
    for layer, height in enumerate(heights):
        _write_labels(axes, layer, height, labels[layer], blocks, last=layer == len(layers) - 1)
    axes.set(xlim=(-0.25, len(layers) - 1 + 0.25), ylim=(-0.02, 1.1))
    axes.set_axis_off()
    axes.set_title(title, fontsize="medium", wrap=True, parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def arrange_nodes(
    sizes: Sequence[int], blocks: Sequence[tuple[int, int, NDArray]]
) -> tuple[list[Floats], list[Floats]]:
    """Return heights (between 0 and 1) and colours of the nodes, per layer, going down from the roots.

    Args:
        sizes: Number of nodes per layer, features first.
        blocks: (source layer, target layer, (2, E) places).

    Returns:
        Per layer the (N,) heights and the (N, 4) colours; the edges of a forest do not cross.
    """
    heights = [np.zeros(size) for size in sizes]
    colours = [np.full((size, 4), 0.6) for size in sizes]
    palette = colormaps["tab20"]
    for layer in reversed(range(len(sizes))):
        total, number = np.zeros(sizes[layer]), np.zeros(sizes[layer])
        for source, target, pairs in blocks:
            if source == layer:
                np.add.at(total, pairs[0], heights[target][pairs[1]])
                np.add.at(number, pairs[0], 1)
                colours[layer][pairs[0]] = colours[target][pairs[1]]
        roots = number == 0
        colours[layer][roots] = palette(np.arange(int(roots.sum())) % 20)
        # Nodes without parents in the highest layer keep their order; elsewhere they stand at the foot.
        mean = np.where(roots, -1.0 if layer < len(sizes) - 1 else 0.0, total / np.maximum(number, 1))
        order = np.argsort(-mean, kind="stable")
        heights[layer][order] = 1 - (np.arange(sizes[layer]) + 0.5) / sizes[layer]
    return heights, colours


def _draw_edges(
    axes: Axes, source: int, target: int, pairs: NDArray, heights: Sequence[Floats], colours: Sequence[Floats]
) -> None:
    number = pairs.shape[1]
    ends = [
        np.stack([np.full(number, layer, dtype=float), heights[layer][place]], axis=1)
        for layer, place in ((source, pairs[0]), (target, pairs[1]))
    ]
    # Thousands of lines: each fainter, so that the picture stays as dark as that of a few hundred.
    alpha = float(np.clip(400 / max(number, 1), 0.06, 0.7))
    lines = LineCollection(list(np.stack(ends, axis=1)), colors=colours[target][pairs[1]], alpha=alpha, linewidths=0.6)
    axes.add_collection(lines)


def _write_labels(
    axes: Axes,
    layer: int,
    height: Floats,
    names: Sequence[str],
    blocks: Sequence[tuple[int, int, NDArray]],
    *,
    last: bool,
) -> None:
    """Name all nodes of the highest layer if there is room, else those with most edges, far enough apart."""
    degree = np.zeros(len(names))
    for source, target, pairs in blocks:
        for end, place in ((source, pairs[0]), (target, pairs[1])):
            if end == layer:
                np.add.at(degree, place, 1)
    gap = 1 / (_LABELLED + 1) if last else 0.09
    written: list[float] = []
    for place in np.argsort(-degree, kind="stable"):
        name, at = names[int(place)], float(height[place])
        if all(abs(at - other) >= gap for other in written):
            written.append(at)
            text = name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
            box = None if last else {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.8}
            x, side = (layer + 0.03, "left") if last else (layer, "center")
            axes.text(x, at, text, ha=side, va="center", fontsize=7, bbox=box, zorder=3, parse_math=False)
        if len(written) >= _LABELLED:
            break
