"""The figures of a report, each with a caption that says what it shows."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from ...plots import (
    draw_dose_response,
    draw_forest,
    draw_learning_bands,
    draw_null_distribution,
    draw_null_quality,
)
from ...plots.inline_svg import inline_svg
from ..analysis.contrasts import spoken
from ..analysis.directions import sign_of
from ..analysis.tables import DoseResponse, LearningCurve, NamedComparison, NullQuality, ReportData
from .blocks import Drawing
from .wording import estimate, metric_label

__all__ = ["dose_drawings", "forest_drawings", "learning_drawings", "null_drawings", "quality_drawings"]

Item = TypeVar("Item")

# A figure must fit on a printed page.
_ROWS = 9
_CURVES = 6
_SHARES = ("live_inputs", "live_nodes", "live_edges", "edge_overlap")


def forest_drawings(key: str, comparisons: Sequence[NamedComparison], metrics: Sequence[str]) -> tuple[Drawing, ...]:
    """Return the paired differences of every metric with their intervals and verdicts."""
    found = []
    for metric in metrics:
        own = [one for one in comparisons if one.metric == metric]
        for part, ones in enumerate(_parts(own, _ROWS)):
            label = metric_label(metric)
            lower = "" if sign_of(metric) > 0 else " (smaller is better; positive: the first is smaller)"
            figure = draw_forest(
                [one.name for one in ones],
                [one.comparison.difference for one in ones],
                [one.comparison.estimate.low for one in ones],
                [one.comparison.estimate.high for one in ones],
                [one.comparison.verdict for one in ones],
                ones[0].comparison.rope,
                xlabel=f"{label} difference; right: the first is better",
            )
            caption = (
                f"{label}: mean difference over splits with its corrected 95 % interval{lower}. Each interval is that "
                f"of one comparison alone; verdicts are corrected for all of them."
            )
            found.append(_drawing(figure, f"{key}-{metric}-{part}", caption, _told(ones)))
    return tuple(found)


def null_drawings(data: ReportData) -> tuple[Drawing, ...]:
    """Return the scores of the draws with the real arm among them, on the metric that decides."""
    own = [one for one in data.decisive if one.empirical is not None]
    label = metric_label(data.metrics[0])
    found = []
    for part, ones in enumerate(_parts(own, _ROWS - 3)):
        figure = draw_null_distribution(
            {_drawn(one): one.null_scores for one in ones},
            [one.real_score for one in ones],
            [one.empirical.p for one in ones if one.empirical is not None],
            xlabel=f"{label}, mean over splits",
        )
        caption = (
            f"{label} of each draw of a null model, averaged over all splits, and of the real structure (line with "
            "diamond). p counts the draws that are at least as good."
        )
        told = "; ".join(f"{one.name}: p {one.empirical.p:.3g}" for one in ones if one.empirical is not None)
        found.append(_drawing(figure, f"nulls-{part}", caption, told))
    return tuple(found)


def learning_drawings(data: ReportData) -> tuple[Drawing, ...]:
    """Return learning curves of the arms that are no floors, a few arms to a figure."""
    arms = [arm.name for arm in data.arms if not arm.is_floor]
    wanted = ["train/loss", "val/loss", f"val/{data.metrics[0]}"]
    found = []
    for quantity in wanted:
        own = [curve for curve in data.curves if curve.quantity == quantity and curve.arm in arms]
        for part, curves in enumerate(_parts(own, _CURVES)):
            figure = draw_learning_bands({spoken(curve.arm): curve.runs for curve in curves}, ylabel=quantity)
            caption = f"{quantity} per epoch: mean over runs; bands hold the middle 80 % of the runs."
            key = f"curves-{quantity.replace('/', '-')}-{part}"
            found.append(_drawing(figure, key, caption, "; ".join(map(_final, curves))))
    return tuple(found)


def quality_drawings(nulls: Sequence[NullQuality]) -> tuple[Drawing, ...]:
    """Return which shares of the network the draws leave alive, and what they share with the real one."""
    own = [null for null in nulls if any(name in null.draws for name in _SHARES)]
    shares = [name for name in _SHARES if any(name in null.draws for null in own)]
    found = []
    for part, some in enumerate(_parts(own, _ROWS)):
        names = [null.name for null in some]
        mean, low, high = (
            [[_reduced(null, share, reduce) for share in shares] for null in some]
            for reduce in (np.mean, np.min, np.max)
        )
        heads = [share.replace("_", " ") for share in shares]
        figure = draw_null_quality(names, heads, mean, low, high)
        caption = (
            "What draws of each null model leave alive, and the share of real edges they still have: mean over draws, "
            "from the least to the most. Live: on a path from a feature to the top."
        )
        told = "; ".join(
            f"{name}: {', '.join(f'{head} {value:.2f}' for head, value in zip(heads, row, strict=True))}"
            for name, row in zip(names, mean, strict=True)
        )
        found.append(_drawing(figure, f"quality-{part}", caption, told))
    return tuple(found)


def dose_drawings(doses: Sequence[DoseResponse]) -> tuple[Drawing, ...]:
    """Return one figure per reference: scores over the share of rewired edges."""
    found = []
    for place, dose in enumerate(doses):
        label = metric_label(dose.metric)
        figure = draw_dose_response(
            np.repeat(dose.fractions, len(dose.scores)),
            dose.scores.T.ravel(),
            slope=dose.slope.mean if np.isfinite(dose.slope.mean) else None,
            slope_interval=(dose.slope.low, dose.slope.high) if np.isfinite(dose.slope.low) else None,
            ylabel=label,
        )
        slope = f"slope {estimate(dose.slope, signed=True)} from no edge to all edges rewired"
        caption = f"{label} of {spoken(dose.reference)} as its edges are rewired: a point per split, and {slope}."
        found.append(_drawing(figure, f"dose-{place}", caption, slope))
    return tuple(found)


def _drawing(figure: Figure, key: str, caption: str, told: str) -> Drawing:
    return Drawing(inline_svg(figure, key, f"{caption} {told}"), caption, told)


def _parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Divide items into parts of nearly equal length, at most `size`."""
    number = -(-len(items) // size)
    for part in range(number):
        yield items[part * len(items) // number : (part + 1) * len(items) // number]


def _drawn(one: NamedComparison) -> str:
    """Return the arm that draws come from."""
    first, second = one.contrast.pair or ("", "")
    return spoken(first if one.real_is_second else second)


def _told(ones: Sequence[NamedComparison]) -> str:
    return "; ".join(
        f"{one.name}: {estimate(one.comparison.estimate, signed=True)}, {one.comparison.verdict}" for one in ones
    )


def _final(curve: LearningCurve) -> str:
    return f"{spoken(curve.arm)} ends at {np.nanmean(curve.runs[:, -1]):.3g}"


def _reduced(null: NullQuality, share: str, reduce: Callable[..., float]) -> float:
    return float(reduce(null.draws[share])) if share in null.draws else float("nan")
