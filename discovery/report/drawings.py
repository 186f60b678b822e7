"""The figures of the report, each with a caption that says what it shows."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from ...activations import build_activation
from ...activations.curves import activation_curve
from ...comparison.report.blocks import Drawing
from ...comparison.study.progress import spoken_time
from ...plots import draw_curve_grid, draw_forest, draw_funnel, draw_pareto
from ...plots.inline_svg import inline_svg
from ..result import Contender, SearchResult
from .wording import label, plain_number, signed, stage_name

__all__ = ["curve_drawings", "curves_figure", "forest_drawings", "front_drawings", "funnel_drawings"]

_X = torch.linspace(-4, 4, 321, dtype=torch.float64)
_PANELS = 6  # of one figure: it must fit on a printed page


def front_drawings(result: SearchResult) -> tuple[Drawing, ...]:
    """Return score over size: finalists beside controls, then all candidates of the first rung."""
    return tuple(_contender_front(result)) + tuple(_first_rung(result))


def _contender_front(result: SearchResult) -> Iterator[Drawing]:
    ones = [one for one in result.finalists if one.candidate is not None]
    sizes = [one.candidate.nodes for one in ones if one.candidate is not None]
    scores = [one.estimate.mean for one in ones]
    front = _front(sizes, scores, result.higher_is_better)
    drawn = [one.estimate.mean for one in result.controls if one.kind == "random"]
    drawn = [mean for mean in drawn if math.isfinite(mean)]
    figure = draw_pareto(
        sizes,
        scores,
        front,
        [one.name for one in ones],
        known=_lines(result),
        band=("random formulas", min(drawn), max(drawn)) if drawn else None,
        larger_is_better=result.higher_is_better,
        ylabel=f"validation {label(result)}",
    )
    told = "; ".join(f"{sizes[place]} nodes: {ones[place].name} {plain_number(scores[place])}" for place in front)
    caption = (
        f"Finalists by size and mean validation {label(result)} over seeds; the line joins those that no smaller one "
        "beats. Grey: the range of the random formulas."
    )
    yield Drawing(inline_svg(figure, "front", f"{caption} {told}"), caption, told)


def _first_rung(result: SearchResult) -> Iterator[Drawing]:
    rung = next((stage for stage in result.stages if stage.name.startswith("halving")), None)
    if rung is None or rung.score is None:
        return
    found = [one.candidate for one in result.candidates if rung.score in one.candidate.scores]
    if not found:
        return
    sizes, scores = [one.nodes for one in found], [one.scores[rung.score] for one in found]
    front = _front(sizes, scores, result.higher_is_better)
    figure = draw_pareto(
        sizes, scores, front, [one.formula for one in found],
        larger_is_better=result.higher_is_better, ylabel=f"validation {label(result)}, {stage_name(rung.name)}",
    )  # fmt: skip
    told = "; ".join(f"{sizes[place]} nodes: {found[place].formula} {plain_number(scores[place])}" for place in front)
    caption = (
        f"All {len(found):,} formulas that were trained in the first rung ({stage_name(rung.name)}): much of "
        "the difference is luck, which is why the best go on to longer training and more seeds."
    )
    yield Drawing(inline_svg(figure, "rung", f"{caption} {told}"), caption, told)


def _front(sizes: Sequence[float], scores: Sequence[float], larger_is_better: bool) -> list[int]:
    """Return the places of those that no smaller or equal one beats, smallest first."""
    sign = 1 if larger_is_better else -1
    order = sorted(
        (place for place, score in enumerate(scores) if math.isfinite(score)),
        key=lambda place: (sizes[place], -sign * scores[place]),
    )
    found: list[int] = []
    for place in order:
        if not found or sign * scores[place] > sign * scores[found[-1]]:
            found.append(place)
    return found


def _lines(result: SearchResult) -> dict[str, float]:
    """Return the reference and the best other known activation; more lines would hide one another."""
    known = {one.name: one.estimate.mean for one in result.controls if one.kind == "known"}
    reference = next(iter(known), None)
    sign = 1 if result.higher_is_better else -1
    others = {name: mean for name, mean in known.items() if name != reference and math.isfinite(mean)}
    best = max(others, key=lambda name: sign * others[name], default=None)
    return {name: known[name] for name in (reference, best) if name is not None}


def funnel_drawings(result: SearchResult) -> tuple[Drawing, ...]:
    """Return how many candidates each stage left over, and how long it took."""
    stages = [stage for stage in result.stages if stage.kept]
    names, kept = [stage_name(stage.name) for stage in stages], [stage.kept for stage in stages]
    figure = draw_funnel(names, kept, [spoken_time(stage.seconds) for stage in stages])
    caption = "Candidates that each stage left over, and the time that it took."
    told = "; ".join(f"{name}: {count:,}" for name, count in zip(names, kept, strict=True))
    return (Drawing(inline_svg(figure, "funnel", f"{caption} {told}"), caption, told),)


def forest_drawings(result: SearchResult) -> tuple[Drawing, ...]:
    """Return the winner against every known activation on the test rows."""
    found = [(one.name, one.against) for one in result.tested if one.against is not None]
    if not found:
        return ()
    comparisons = [one for _, one in found]
    figure = draw_forest(
        [f"winner against {name}" for name, _ in found],
        [one.difference for one in comparisons],
        [one.interval[0] for one in comparisons],
        [one.interval[1] for one in comparisons],
        [one.verdict for one in comparisons],
        result.rope,
        xlabel=f"test {label(result)} difference; right: the winner is better",
    )
    caption = f"{label(result)} on test rows: mean difference over fresh seeds with its 95 % interval."
    told = "; ".join(f"against {name}: {signed(one.estimate)}, {one.verdict}" for name, one in found)
    return (Drawing(inline_svg(figure, "tested", f"{caption} {told}"), caption, told),)


def curve_drawings(result: SearchResult) -> tuple[Drawing, ...]:
    """Return value and slope of finalists and known activations, a few to a figure."""
    found = []
    ones = _with_curves(result)
    for start in range(0, len(ones), _PANELS):
        part = ones[start : start + _PANELS]
        told = "; ".join(one.name for one in part)
        caption = (
            f"Value and slope of {'finalists and known activations' if start == 0 else 'further ones'} as the networks "
            f"had them, with {_reference(result).name} in grey; validation {label(result)} above each."
        )
        figure = _grid(part, result, columns=2)
        found.append(Drawing(inline_svg(figure, f"curves-{start}", f"{caption} {told}"), caption, told))
    return tuple(found)


def curves_figure(result: SearchResult) -> Figure:
    """Return value and slope of all finalists and known activations in one figure, for a file of its own."""
    ones = _with_curves(result)
    return _grid(ones, result, columns=4, title=f"{result.name}: finalists, and known activations")


def _with_curves(result: SearchResult) -> list[Contender]:
    return [*result.finalists, *(one for one in result.controls if one.kind == "known")]


def _reference(result: SearchResult) -> Contender:
    return next((one for one in result.controls if one.kind == "known"), result.winner)


def _grid(ones: Sequence[Contender], result: SearchResult, columns: int, title: str = "") -> Figure:
    notes = [f"{label(result)} {plain_number(one.estimate.mean)}" for one in ones]
    curves = {one.name: _curve(one) for one in ones}
    reference = _reference(result)
    return draw_curve_grid(
        _X.numpy(), curves, (reference.name, _curve(reference)), notes=notes, columns=columns, title=title
    )


def _curve(one: Contender) -> tuple[np.ndarray, np.ndarray]:
    """Return value and slope of an activation as a network of width 1 has it, before training."""
    value, slope = activation_curve(build_activation(one.spec, width=1).double().eval(), _X)
    return value.numpy(), slope.numpy()
