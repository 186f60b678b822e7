"""How the activations of a network fared in training: curves, closed shares, sizes, trained values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from .rows import PALETTE, SMALL, new_figure, shortened

__all__ = ["draw_activation_doctor"]

_MOST_ROWS = 12
_MOST_LINES = 8
_PANEL = (2.6, 1.75)  # inches


def draw_activation_doctor(rows: Any, values: Any, curves: Any, path: str | Path) -> Path:
    """Draw a row of panels for each activation.

    Args:
        rows: Table with the columns step, activation, output_std, gain, saturated, dead, passed_percent and
            normal_percent.
        values: Table with the columns step, activation, value_of, unit, value; may be empty.
        curves: Table with the columns step, activation, unit, x, value; may be empty.
        path: Image file; its suffix decides the format.

    Returns:
        The path.

    Example:
        >>> import pandas as pd, tempfile
        >>> numbers = {"output_std": 1.0, "gain": 1.0, "saturated": 0.1, "dead": 0.0}
        >>> row = {"step": 0, "activation": "relu", **numbers, "passed_percent": 50.0, "normal_percent": 50.0}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     empty = pd.DataFrame()
        ...     draw_activation_doctor(pd.DataFrame([row]), empty, empty, f"{folder}/doctor.png").stat().st_size > 1000
        True
    """
    names = list(dict.fromkeys(rows["activation"]))
    shown = names[:_MOST_ROWS]
    columns: list[tuple[str, Callable[[Axes, Any], None], Any]] = [
        ("curve, early (light) to late", _draw_curves, curves),
        ("share saturated, share of dead units", _draw_shares, rows),
        ("output std and gain", _draw_sizes, rows),
    ]
    if len(values):
        columns.append(("trained values", _draw_values, values))
    if rows["passed_percent"].notna().any():
        columns.append(("% above ASH's threshold", _draw_passed, rows))
    width, height = _PANEL[0] * len(columns), _PANEL[1] * len(shown) + 0.6
    figure = new_figure(height, width)
    grid = figure.add_gridspec(
        len(shown), len(columns), left=0.5 / width, right=1 - 0.12 / width, top=1 - 0.5 / height, bottom=0.4 / height,
        wspace=0.3, hspace=0.55,
    )  # fmt: skip
    for line, name in enumerate(shown):
        for place, (title, draw, table) in enumerate(columns):
            own = table[table["activation"] == name] if len(table) else table
            if not len(own) or (draw is _draw_passed and own["passed_percent"].isna().all()):
                continue
            axes = figure.add_subplot(grid[line, place])
            draw(axes, own)
            _finish(axes, f"{title}\n" * (line == 0) + shortened(name, 34, 1), place == 0, line == len(shown) - 1)
    if len(names) > len(shown):
        figure.text(0.01, 0.005, f"{len(names) - len(shown)} more activations are in the table", fontsize=SMALL - 1)
    path = Path(path)
    figure.savefig(path, dpi=110)
    return path


def _finish(axes: Axes, title: str, is_curve: bool, last: bool) -> None:
    axes.set_title(title, fontsize=SMALL - 1, loc="left", pad=3, linespacing=1.2, parse_math=False)
    axes.grid(color="#e8e8e8", linewidth=0.6)
    axes.tick_params(labelsize=SMALL - 2, length=2, pad=2)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    if last:
        axes.set_xlabel("input" if is_curve else "step", fontsize=SMALL - 1)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=SMALL - 2.5, handlelength=1.2, ncols=2, columnspacing=0.8)


def _draw_curves(axes: Axes, table: Any) -> None:
    steps = np.unique(table["step"])
    drawn = steps[np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _MOST_LINES)).round().astype(int))]
    shades = colormaps["viridis_r"](np.linspace(0.05, 0.95, len(drawn)))
    for step, shade in zip(drawn, shades, strict=True):
        for _, curve in table[table["step"] == step].groupby("unit"):
            axes.plot(curve["x"], curve["value"], color=shade, linewidth=1.0)


def _draw_shares(axes: Axes, table: Any) -> None:
    for column, colour in (("saturated", PALETTE[0]), ("dead", PALETTE[1])):
        axes.plot(table["step"], table[column], color=colour, linewidth=1.3, marker=".", markersize=3, label=column)
    axes.set_ylim(-0.03, 1.03)


def _draw_sizes(axes: Axes, table: Any) -> None:
    for column, colour, label in (("output_std", PALETTE[0], "output std"), ("gain", PALETTE[1], "gain")):
        axes.plot(table["step"], table[column], color=colour, linewidth=1.3, marker=".", markersize=3, label=label)
    if (table[["output_std", "gain"]] > 0).any(axis=None):
        axes.set_yscale("log")
    for edge in (0.1, 10.0):
        axes.axhline(edge, color="0.6", linewidth=0.7, linestyle=":")


def _draw_values(axes: Axes, table: Any) -> None:
    lines = list(table.groupby(["value_of", "unit"], sort=False))
    few, named = len(lines) <= _MOST_LINES, list(dict.fromkeys(of for (of, _), _ in lines))
    for place, ((of, unit), path) in enumerate(lines):
        # many units: one colour for each value, named once
        colour = PALETTE[(place if few else named.index(of)) % len(PALETTE)]
        label = f"{of} {unit}".strip() if few else of if path is _first(lines, of) else None
        axes.plot(path["step"], path["value"], color=colour, linewidth=1.2 if few else 0.7, label=label)


def _first(lines: list[Any], of: str) -> Any:
    return next(path for (name, _), path in lines if name == of)


def _draw_passed(axes: Axes, table: Any) -> None:
    axes.plot(table["step"], table["passed_percent"], color=PALETTE[0], linewidth=1.3, marker=".", label="measured")
    axes.plot(
        table["step"], table["normal_percent"], color=PALETTE[6], linewidth=1.0, linestyle="--", label="if normal"
    )
