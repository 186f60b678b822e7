"""Tiles of slides, coloured where they lie: a number each, or a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .rows import SMALL, TEXT, WIDTH, new_figure, shortened

__all__ = ["TilePanel", "draw_tile_maps", "paint_tiles", "tile_pitch"]

Floats: TypeAlias = NDArray[np.floating[Any]]

# Pixels of the painted canvas along its longer side.
_LARGEST = 1200
# Pixels across a tile at most.
_FINEST = 8
_TALLEST = 3.6


@dataclass(frozen=True, eq=False)
class TilePanel:
    """The tiles of one slide.

    Args:
        title: What stands above it.
        coordinates: (n, 2) left and top corner of each tile, in pixels of the slide.
        values: (n,) a number per tile, NaN for none; or the class, 0, 1, ..., where classes are drawn.
        tile: Width of a tile in the same pixels; None infers it from the spacing of the corners.
        size: Width and height of the slide; None takes what the tiles reach.
        thumbnail: (h, w, 3) picture of the whole slide to lie beneath, or None.

    Example:
        >>> TilePanel("slide 1", np.array([[0, 0], [256, 0]]), np.array([0.1, 0.9])).extent
        (512.0, 256.0)
    """

    title: str
    coordinates: NDArray[Any]
    values: Floats
    tile: float | None = None
    size: tuple[float, float] | None = None
    thumbnail: NDArray[Any] | None = None

    @property
    def pitch(self) -> float:
        """Width of a tile."""
        return tile_pitch(self.coordinates) if self.tile is None else float(self.tile)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of what is drawn."""
        if self.size is not None:
            return float(self.size[0]), float(self.size[1])
        right, bottom = np.asarray(self.coordinates, dtype=np.float64).max(axis=0) + self.pitch
        return float(right), float(bottom)


def tile_pitch(coordinates: NDArray[Any]) -> float:
    """Return the spacing of tiles (n, 2): the smallest step between two of their columns or rows; 1 for a single tile.

    Example:
        >>> tile_pitch(np.array([[0, 0], [512, 0], [1024, 512]]))
        512.0
    """
    steps = np.concatenate([np.diff(np.unique(axis)) for axis in np.asarray(coordinates, dtype=np.float64).T])
    return float(steps.min()) if len(steps) else 1.0


def paint_tiles(panel: TilePanel, *, classes: bool = False) -> Floats:
    """Return a canvas (rows, columns) of the tiles' values, NaN where there is none.

    Where tiles overlap, numbers are averaged, and of classes the last one stands.

    Args:
        panel: The tiles.
        classes: Whether values are classes.

    Example:
        >>> paint_tiles(TilePanel("", np.array([[0, 0], [10, 10]]), np.array([1.0, 2.0]))).tolist()
        [[1.0, nan], [nan, 2.0]]
    """
    width, height = panel.extent
    coordinates = np.asarray(panel.coordinates, dtype=np.float64)
    # one pixel per step of the corners where that is coarse enough: no seam, no blur
    step = max(min(panel.pitch, tile_pitch(coordinates)), panel.pitch / _FINEST, max(width, height) / _LARGEST)
    shape = (max(int(np.ceil(height / step - 1e-9)), 1), max(int(np.ceil(width / step - 1e-9)), 1))
    known = np.isfinite(panel.values)
    rows, columns, values = _pixels(coordinates[known] / step, panel.values[known], max(round(panel.pitch / step), 1))
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    place = (rows[inside], columns[inside])
    total, count = np.zeros(shape), np.zeros(shape)
    if classes:
        total[place], count[place] = values[inside], 1
    else:
        np.add.at(total, place, values[inside])
        np.add.at(count, place, 1)
    return np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)


def _pixels(corners: Floats, values: Floats, across: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return row, column and value of every pixel of every tile, tile after tile."""
    left, top = np.floor(corners + 1e-9).astype(np.int64).T
    down, right = np.divmod(np.arange(across * across), across)
    return (top[:, None] + down).ravel(), (left[:, None] + right).ravel(), np.repeat(values, across * across)


def draw_tile_maps(
    panels: Sequence[TilePanel],
    *,
    label: str = "",
    classes: Sequence[str] | None = None,
    title: str = "",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw the slides of a patient beneath one another, on one scale.

    Args:
        panels: The slides.
        label: What the numbers are.
        classes: Names of the classes that `values` count from 0; None: values are numbers.
        title: Title of the figure.
        limits: Ends of the scale; None takes the smallest and the largest number.

    Returns:
        The figure, 4.6 inches wide.

    Raises:
        ValueError: If there is no panel, or a panel has another number of values than of tiles.

    Example:
        >>> tiles = np.stack(np.divmod(np.arange(6), 3), axis=1) * 512
        >>> figure = draw_tile_maps([TilePanel("DX1", tiles, np.arange(6) % 2)], classes=["stroma", "tumour"])
        >>> len(figure.legends)
        1
    """
    _check(panels)
    heights = [_height(panel) for panel in panels]
    words = shortened(title, 45, lines=3) if title else ""
    head = 0.12 + 0.19 * (1 + words.count("\n")) * bool(words)
    present = _present(panels) if classes is not None else []
    foot = 0.22 * (1 + (len(present) - 1) // 3) + 0.15 if classes is not None else 0.62
    total = head + sum(height + 0.3 for height in heights) + foot
    figure = new_figure(total)
    if words:
        figure.text(0.03, 1 - 0.08 / total, words, fontsize=TEXT + 0.5, va="top", parse_math=False)
    colours, scale = _scale(panels, classes, limits)
    top = total - head
    for panel, height in zip(panels, heights, strict=True):
        top -= height + 0.3
        axes = figure.add_axes((0.03, top / total, 0.94, height / total))
        _draw(axes, panel, colours, scale, classes is not None)
    if classes is not None:
        handles = [Patch(color=colours(place), label=shortened(classes[place], 16, lines=1)) for place in present]
        figure.legend(handles=handles, loc="lower center", ncols=3, fontsize=SMALL, frameon=False, borderpad=0.1)
        return figure
    bar = figure.add_axes((0.08, 0.44 / total, 0.84, 0.1 / total))
    figure.colorbar(ScalarMappable(scale, colours), cax=bar, orientation="horizontal")
    bar.tick_params(labelsize=SMALL)
    bar.set_xlabel(label, fontsize=TEXT, parse_math=False)
    return figure


def _check(panels: Sequence[TilePanel]) -> None:
    if not panels:
        raise ValueError("there is no slide to draw; give one panel at least")
    for panel in panels:
        if np.shape(panel.coordinates) != (len(panel.values), 2):
            raise ValueError(
                f"slide {panel.title!r} has {len(panel.values)} values for coordinates of the shape "
                f"{np.shape(panel.coordinates)}; give one value per tile"
            )


def _height(panel: TilePanel) -> float:
    width, height = panel.extent
    return float(np.clip(0.94 * WIDTH * height / width, 0.6, _TALLEST))


def _present(panels: Sequence[TilePanel]) -> list[int]:
    known = np.concatenate([panel.values[np.isfinite(panel.values)] for panel in panels])
    return np.unique(known).astype(int).tolist()


def _scale(
    panels: Sequence[TilePanel], classes: Sequence[str] | None, limits: tuple[float, float] | None
) -> tuple[Any, Normalize]:
    if classes is not None:
        table = mpl.colormaps["tab20"]
        return ListedColormap([table(place % 20) for place in range(len(classes))]), Normalize(-0.5, len(classes) - 0.5)
    if limits is None:
        known = np.concatenate([panel.values[np.isfinite(panel.values)] for panel in panels])
        limits = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return mpl.colormaps["viridis"], Normalize(*limits)


def _draw(axes: Any, panel: TilePanel, colours: Any, scale: Normalize, classes: bool) -> None:
    width, height = panel.extent
    reach = (0.0, width, height, 0.0)
    axes.set_facecolor("#f2f2f2")
    if panel.thumbnail is not None:
        axes.imshow(panel.thumbnail, extent=reach, interpolation="antialiased")
    canvas = np.ma.masked_invalid(paint_tiles(panel, classes=classes))
    alpha = 0.6 if panel.thumbnail is not None else 1.0
    axes.imshow(canvas, extent=reach, cmap=colours, norm=scale, interpolation="nearest", alpha=alpha)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(shortened(panel.title, 60, lines=1), fontsize=SMALL, loc="left", pad=3, parse_math=False)
