"""The figure of the induction-head reproduction: six panels, each of which can stand alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from _induction_parts import ALL_OF_LAYER_1, ARMS, BASE
from _induction_statistics import PUBLISHED, geometric_mean, mean, ratio, times_of
from axonlight.metrics.in_context import LEARNED_BELOW
from axonlight.plots.rows import LINE_STYLES, PALETTE, SMALL, TEXT, new_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

__all__ = ["PUBLISHED_TRENDS", "TRENDS", "Found", "Panel", "draw_all", "draw_one", "panels"]

COLOURS = dict(zip([*ARMS, ALL_OF_LAYER_1], PALETTE, strict=False))
STYLES = dict(zip([*ARMS, ALL_OF_LAYER_1], LINE_STYLES, strict=False))
TRENDS = {
    "labels": {5: BASE, 10: "10 labels, 50 classes", 15: "15 labels, 50 classes"},
    "classes": {50: BASE, 100: "5 labels, 100 classes", 200: "5 labels, 200 classes"},
}
# Sequences at which the loss drops with all heads, read off the figures of arXiv 2404.07129.
PUBLISHED_TRENDS = {"labels": {5: 2.7e5, 10: 8e5, 15: 13e5}, "classes": {50: 2.7e5, 100: 3.3e5, 200: 3.8e5}}
PARTS = {"all heads": "all heads", "layer 1 + copy": "B: match alone", "match": "C: copy alone"}
FIRST = 1024  # where the axis of sequences begins, which is logarithmic


@dataclass(frozen=True)
class Found:
    """All that was measured.

    Args:
        curves: Evaluations of the arms on the train evaluator: arm, seed, samples, loss.
        runs: A row per run of every condition.
        heads: A row per seed and head of the networks with all heads.
        strengths: Strength of their heads through training.
        progress: Progress measures.
        grafts: Evaluations behind a trained layer 1.
    """

    curves: pd.DataFrame
    runs: pd.DataFrame
    heads: pd.DataFrame
    strengths: pd.DataFrame
    progress: pd.DataFrame
    grafts: pd.DataFrame

    @property
    def main(self) -> pd.DataFrame:
        """The runs of the arms."""
        return self.runs[self.runs["condition"] == BASE]


@dataclass(frozen=True)
class Panel:
    """A panel: its title, what it shows, and how it is drawn."""

    title: str
    caption: str
    draw: Callable[[Axes, Found], None]


def grid_of(table: pd.DataFrame, samples: str = "samples", value: str = "loss") -> tuple[np.ndarray, np.ndarray]:
    """Return the counted values (N,) and the runs (R, N); a run that has ended keeps its last value."""
    wide = table.pivot_table(index="seed", columns=samples, values=value).sort_index(axis=1).ffill(axis=1)
    return wide.columns.to_numpy(dtype=float), wide.to_numpy(dtype=float)


def _band(axes: Axes, x: np.ndarray, runs: np.ndarray, label: str, colour: str, style: object) -> None:
    low, middle, high = np.nanquantile(runs, [0.1, 0.5, 0.9], axis=0)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, middle, color=colour, linestyle=style, linewidth=1.8, label=label)  # type: ignore[arg-type]


def _curves(axes: Axes, found: Found) -> None:
    for arm in COLOURS:
        x, runs = grid_of(found.curves[found.curves["arm"] == arm])
        _band(axes, np.maximum(x, FIRST), runs, arm, COLOURS[arm], STYLES[arm])
    _losses(axes)


def _losses(axes: Axes) -> None:
    for level in (np.log(2), LEARNED_BELOW):
        axes.axhline(level, color="0.5", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("sequences", fontsize=TEXT)
    axes.set_ylabel("loss", fontsize=TEXT)
    axes.set_ylim(0, None)
    axes.legend(frameon=False, fontsize=SMALL - 1, loc="upper right")


def _times(axes: Axes, found: Found) -> None:
    arms = sorted(PUBLISHED, key=lambda arm: PUBLISHED[arm])
    for row, arm in enumerate(arms):
        logs, _ = ratio(found.main, arm, "none")
        own = geometric_mean(np.exp(logs))
        axes.plot(np.exp(logs), np.full(len(logs), row), "o", color=COLOURS[arm], markersize=3, alpha=0.4)
        if np.isfinite(own.low):
            axes.plot([own.low, own.high], [row, row], color=COLOURS[arm], linewidth=2.5)
        axes.plot([own.mean], [row], "o", color=COLOURS[arm], markersize=7, label="found" if row == 0 else None)
        place = PUBLISHED[arm] / PUBLISHED["none"]
        axes.plot([place], [row], "D", mfc="none", mec="0.2", markersize=7, label=None if row else "published")
    axes.set_yticks(range(len(arms)), [arm.replace(", ", ",\n") for arm in arms], fontsize=SMALL)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_xlabel("time to learn / that of none", fontsize=TEXT)
    axes.legend(frameon=False, fontsize=SMALL - 1, loc="lower left")


def _strengths(axes: Axes, found: Found) -> None:
    """Draw strengths over the time at which each network learned, so that seeds can be averaged."""
    learned = found.main[found.main["arm"] == "all heads"].set_index("seed")["crossing"].dropna()
    grid = np.linspace(0, 1.6, 81)
    sums = []
    for seed, time in learned.items():
        wide = found.strengths[found.strengths["seed"] == seed].pivot_table(
            index="sequences", columns="head", values="strength"
        )
        order = wide.iloc[-1].sort_values(ascending=False).index
        sums.append([np.interp(grid, wide.index / time, wide[head], left=np.nan) for head in order])
    for place, line in enumerate(np.mean(sums, axis=0) if sums else []):
        shade, width = ("#0072b2", 2.0) if place == 0 else (str(0.23 + 0.08 * place), 1.2)
        axes.plot(grid, line, color=shade, linewidth=width)
    published = (0.42, 0.74, 0.71, 0.85, 0.29, 0.55, 0.10, 0.57)
    axes.plot([1.66] * 8, published, "D", mfc="none", mec="0.2", markersize=5, label="published, at the end")
    axes.set_xlabel("sequences / those until it has learned", fontsize=TEXT)
    axes.set_ylabel("induction strength", fontsize=TEXT)
    axes.legend(frameon=False, fontsize=SMALL - 1, loc="upper left")


def _twin(axes: Axes, found: Found) -> None:
    free = found.curves[found.curves["arm"] == "none"]
    clamped = found.curves[found.curves["arm"] == "match"]
    progress = found.progress[found.progress["clamp"] == "match"].rename(columns={"sequences": "samples"})
    curves = {
        "never clamped": (free, "none"),
        "match clamped through training": (clamped, "match"),
        "match clamped at evaluation alone": (progress, "copy"),
    }
    for label, (table, arm) in curves.items():
        x, runs = grid_of(table)
        _band(axes, np.maximum(x, FIRST), runs, label, COLOURS[arm], STYLES[arm])
    _losses(axes)


def _trend(kind: str) -> Callable[[Axes, Found], None]:
    def draw(axes: Axes, found: Found) -> None:
        conditions = TRENDS[kind]
        for colour, style, (arm, label) in zip(PALETTE, LINE_STYLES, PARTS.items(), strict=False):
            values = {
                number: _relative(found.runs, arm, condition, conditions) for number, condition in conditions.items()
            }
            middle, low, high = np.array(list(values.values())).T
            errors = np.nan_to_num([middle - low, high - middle])
            axes.errorbar(list(values), middle, errors, color=colour, linestyle=style, marker="o", label=label)
        published = PUBLISHED_TRENDS[kind]
        base = next(iter(published.values()))
        axes.plot(
            list(published),
            [value / base for value in published.values()],
            "D--",
            mfc="none",
            color="0.4",
            label="published, all",
        )
        axes.set_yscale("log")
        axes.set_yticks([1, 2, 3, 5, 8])
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(list(conditions))
        axes.set_xlabel(kind, fontsize=TEXT)
        axes.set_ylabel("time to learn / the first", fontsize=TEXT)
        axes.legend(frameon=False, fontsize=SMALL - 1, loc="upper left")

    return draw


def _relative(runs: pd.DataFrame, arm: str, condition: str, conditions: Mapping[int, str]) -> tuple[float, ...]:
    """Return how many times as long learning takes as in the first condition, paired by seed."""
    seeds = sorted(runs[(runs["condition"] == condition) & (runs["arm"] == arm)]["seed"].unique())
    base = next(iter(conditions.values()))
    seeds = [seed for seed in seeds if seed in set(runs[runs["condition"] == base]["seed"])]
    one, other = (times_of(runs[runs["condition"] == name], arm, seeds)[0] for name in (condition, base))
    if condition == base:
        return (1.0, np.nan, np.nan)
    return tuple(np.exp(mean(np.log(one / other))))


panels = {
    "curves": Panel(
        "Loss of every arm",
        "Loss on 1,000 training sequences: median over seeds and the middle 80 %; grey: ln 2 and the threshold 0.277.",
        _curves,
    ),
    "times": Panel(
        "When each arm has learned",
        "Time until the loss is below 0.277 as a part of that of none, paired by seed: every seed, geometric mean, "
        "95 % t interval. Diamonds: published.",
        _times,
    ),
    "strengths": Panel(
        "Heads rise together",
        "All heads, no clamp: induction strength of the eight heads of the second layer, from the strongest at the end "
        "to the weakest, mean over seeds. Time is that until the seed has learned. Diamonds: published end values.",
        _strengths,
    ),
    "twin": Panel(
        "Clamp through training, or at evaluation",
        "Match clamped while the network learns, and clamped at checkpoints of networks that learned without it.",
        _twin,
    ),
    "labels": Panel(
        "Labels",
        "Time to learn with more labels as a multiple of that with 5, paired by seed, with 95 % t intervals.",
        _trend("labels"),
    ),
    "classes": Panel(
        "Classes",
        "Time to learn with more classes as a multiple of that with 50, paired by seed, with 95 % t intervals.",
        _trend("classes"),
    ),
}


def draw_all(found: Found) -> Figure:
    """Draw all panels in one figure."""
    figure = new_figure(8.4, 15.5)
    for number, panel in enumerate(panels.values()):
        left, bottom = 0.055 + 0.33 * (number % 3), 0.57 - 0.5 * (number // 3)
        indent = 0.07 if panel.title.startswith("When") else 0.0
        axes = figure.add_axes((left + indent, bottom, 0.265 - indent, 0.37))
        panel.draw(axes, found)
        _dress(axes)
        axes.set_title(f"{'ABCDEF'[number]}  {panel.title}", loc="left", fontsize=TEXT + 1)
    return figure


def draw_one(panel: Panel, found: Found) -> Figure:
    """Draw one panel as a figure of its own."""
    figure = new_figure(3.9)
    indent = 0.16 if panel.title.startswith("When") else 0.0
    axes = figure.add_axes((0.15 + indent, 0.14, 0.82 - indent, 0.83))
    panel.draw(axes, found)
    _dress(axes)
    return figure


def _dress(axes: Axes) -> None:
    axes.tick_params(labelsize=SMALL)
    axes.grid(alpha=0.3)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
