"""Contrasts judged: both sides on the same splits, every metric, corrected within their family."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..statistics import adjust, compare_scores, empirical_p
from ..statistics.families import Adjustment
from .directions import sign_of
from .resampling import Resampling
from .scores import Cubes, contrast_scores, null_means
from .tables import Contrast, NamedComparison

__all__ = ["compare_contrasts"]


def compare_contrasts(
    contrasts: Sequence[Contrast],
    cubes: Mapping[str, Cubes],
    nulls: Sequence[str],
    *,
    ropes: Mapping[str, float],
    resampling: Resampling,
    correction: Adjustment,
) -> tuple[NamedComparison, ...]:
    """Judge every contrast on every metric.

    Args:
        contrasts: Of one family: their p values are corrected together, over contrasts and metrics.
        cubes: Per metric and arm, scores (S splits, K seeds, D draws).
        nulls: Arms that are draws of a null model.
        ropes: Half width of the region of practical equivalence per metric.
        resampling: Shares of rows that a split tests and trains on.
        correction: "holm" or "bh".
    """
    found = []
    for contrast in contrasts:
        for metric, scores in cubes.items():
            sides = contrast_scores(scores, contrast, metric)
            comparison = compare_scores(*sides, **resampling._asdict(), rope=ropes[metric])
            found.append(_with_null(NamedComparison(contrast, metric, comparison), scores, nulls))
    adjusted = adjust([one.comparison for one in found], method=correction) if found else []
    return tuple(replace(one, comparison=changed) for one, changed in zip(found, adjusted, strict=True))


def _with_null(found: NamedComparison, cubes: Cubes, nulls: Sequence[str]) -> NamedComparison:
    """Add where the real arm stands among the draws of the null it is compared with."""
    pair = found.contrast.pair
    if pair is None or (pair[0] in nulls) == (pair[1] in nulls):
        return found
    real, null = pair if pair[1] in nulls else pair[::-1]
    score, draws, incomplete = null_means(cubes[real], cubes[null])
    better = "larger" if sign_of(found.metric) > 0 else "smaller"
    empirical = empirical_p(score, draws, better=better) if len(draws) else None
    return replace(
        found,
        empirical=empirical,
        real_score=score,
        null_scores=tuple(map(float, draws)),
        real_is_second=real == pair[1],
        incomplete_draws=incomplete,
    )
