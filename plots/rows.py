"""What the figures of a report share: rows under one another, each with its name above it, on a narrow page.

A figure is 4.6 inches wide, so that its letters stay legible on a phone (390 pixels). Names of arms are long: each
stands on lines of its own above what is drawn for it, where it has the whole width, and breaks or is shortened.
Heights are inches; the y axis of such a figure is in inches, too, from the top.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import blended_transform_factory
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LINE_STYLES",
    "PALETTE",
    "SMALL",
    "TEXT",
    "WIDTH",
    "Rows",
    "column",
    "new_figure",
    "shortened",
    "titled_panel",
]

WIDTH = 4.6
TEXT = 10.0
SMALL = 9.0
# Okabe and Ito's colours, apart for colour-blind eyes, the darker ones first.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555", "#000000")
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)), (0, (3, 1)))

_LINE = 0.175
_MARGIN = 0.14
_CHARACTERS = 45


def titled_panel(title: str, panel: float, *, left: float, foot: float) -> Axes:
    """Return the one panel of a new figure, under a title of up to three lines.

    Args:
        title: Title, or an empty text.
        panel: Height of the panel, in inches.
        left: What is free at its left, in inches.
        foot: What is free beneath it, in inches.
    """
    words = shortened(title, _CHARACTERS, lines=3) if title else ""
    top = 0.12 + 0.2 * (1 + words.count("\n")) * bool(words)
    height = top + panel + foot
    figure = new_figure(height)
    if words:
        figure.text(0.03, 1 - 0.08 / height, words, fontsize=TEXT + 0.5, va="top", parse_math=False)
    return figure.add_axes((left / WIDTH, foot / height, 0.97 - left / WIDTH, panel / height))


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure that knows how to measure its texts; no window, no global state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def shortened(text: str, characters: int, lines: int = 3) -> str:
    """Break a text into lines of at most so many characters, and end it by … where there are too many lines.

    Example:
        >>> print(shortened("binn / cos(x)-cos(cos(x)) / degree preserving", 20, lines=2))
        binn /
        cos(x)-cos(cos(x)) …
    """
    parts = textwrap.wrap(text, characters, max_lines=lines, placeholder=" …") or [""]
    return "\n".join(parts)


def column(name: str, values: ArrayLike, rows: int) -> NDArray[np.float64]:
    """Return values as float64 (rows,), one per name.

    Raises:
        ValueError: If there are more or fewer.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (rows,):
        raise ValueError(f"{name} has the shape {array.shape} where {rows} names are given; give one value per name")
    return array


@dataclass(frozen=True)
class Rows:
    """Named rows on axes.

    Args:
        axes: Where they are drawn.
        middles: (N,) heights in the middle of what is drawn per row, in the y axis' inches.
        tall: Height of what is drawn per row.
    """

    axes: Axes
    middles: NDArray[np.float64]
    tall: float

    def shade(self, row: int, low: float, high: float) -> None:
        """Draw a grey band behind one row, which leaves the names alone."""
        corner = (low, float(self.middles[row]) - self.tall / 2)
        self.axes.add_patch(Rectangle(corner, high - low, self.tall, facecolor="#dedede", linewidth=0, zorder=0))

    def mark_zero(self, row: int) -> None:
        """Draw the line of no difference in one row."""
        middle = float(self.middles[row])
        ends = [middle - self.tall / 2, middle + self.tall / 2]
        self.axes.plot([0, 0], ends, color="#555555", linewidth=0.9, zorder=1)

    def fit(self, values: Iterable[float]) -> None:
        """Let the x axis hold all finite values, and zero."""
        known = np.array([0.0, *(value for value in values if np.isfinite(value))])
        margin = 0.06 * max(float(np.ptp(known)), 1e-12)
        self.axes.set_xlim(known.min() - margin, known.max() + margin)
        self.axes.locator_params(axis="x", nbins=6)

    @classmethod
    def named(
        cls,
        names: Sequence[str],
        notes: Sequence[str] = (),
        *,
        axes: Axes | None = None,
        tall: float = 0.24,
        head: float = 0.0,
        foot: float = 0.62,
        title: str = "",
    ) -> "Rows":
        """Write the names and make room beneath each.

        Args:
            names: One per row.
            notes: What to write at the right end of each name, such as a verdict.
            axes: Axes to draw on; None makes a figure of the height needed.
            tall: Height left beneath each name.
            head: Height left above the first name.
            foot: Height beneath the axes, for ticks and the label of the x axis.
            title: Title of the figure.
        """
        notes = list(notes) or [""] * len(names)
        texts = [
            shortened(name, _CHARACTERS - len(note) - 2 * bool(note)) for name, note in zip(names, notes, strict=True)
        ]
        heights = [_LINE * (1 + text.count("\n")) for text in texts]
        gap = 0.1
        tops = head + gap + np.concatenate([[0.0], np.cumsum([height + tall + gap for height in heights])])
        total = float(tops[-1])
        if axes is None:
            axes = _placed_axes(total, foot, title)
        axes.set_ylim(total, 0)
        axes.set_yticks([])
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        axes.tick_params(labelsize=SMALL)
        across = blended_transform_factory(axes.transAxes, axes.transData)
        style: dict[str, Any] = {"va": "top", "fontsize": TEXT, "linespacing": 1.1, "parse_math": False, "zorder": 5}
        for text, note, top in zip(texts, notes, tops, strict=False):
            axes.text(0, top, text, transform=across, ha="left", **style)
            axes.text(1, top, note, transform=across, ha="right", **style)
        return cls(axes, tops[:-1] + np.array(heights) + tall / 2, tall)


def _placed_axes(total: float, foot: float, title: str) -> Axes:
    words = shortened(title, _CHARACTERS, lines=3) if title else ""
    top = 0.1 + _LINE * 1.15 * (1 + words.count("\n")) * bool(words)
    height = total + foot + top
    figure = new_figure(height)
    if words:
        figure.text(_MARGIN / WIDTH, 1 - 0.08 / height, words, fontsize=TEXT + 0.5, va="top", parse_math=False)
    return figure.add_axes((_MARGIN / WIDTH, foot / height, 1 - 2 * _MARGIN / WIDTH, total / height))
