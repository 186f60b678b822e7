"""Paired scores of overlapping resampled splits: mean, interval, verdict.

The training sets of two splits overlap, so scores are not independent: the variance of a mean over n splits is
(1/n + test rows / training rows) times that of one score, with n - 1 degrees of freedom (Nadeau and Bengio,
"Inference for the generalization error", 2003, doi:10.1023/A:1024068626366; for repeated cross-validation with n the
number of all folds: Bouckaert and Frank 2004, doi:10.1007/978-3-540-24775-3_3).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Comparison", "Estimate", "compare", "decide", "estimate", "holm"]

LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """A mean over splits with its corrected 95 % interval; `missing` splits had no defined score."""

    mean: float
    low: float
    high: float
    count: int
    missing: int
    standard_error: float


@dataclass(frozen=True)
class Comparison:
    """Ours minus theirs over the same splits, and the probabilities of the tests against 0 and against the region."""

    difference: Estimate
    p_difference: float
    p_equivalence: float


def estimate(scores: Sequence[float], test_to_train: float) -> Estimate:
    """Return the mean of scores of n splits and its corrected interval.

    Args:
        scores: One per split; NaN where undefined.
        test_to_train: Test rows of a split divided by its training rows: 1 / (k - 1) for k folds.
    """
    defined = [score for score in scores if not math.isnan(score)]
    count, missing = len(defined), len(scores) - len(defined)
    if count < 2:
        mean = defined[0] if defined else math.nan
        return Estimate(mean, math.nan, math.nan, count, missing, math.nan)
    mean = float(np.mean(defined))
    error = math.sqrt((1 / count + test_to_train) * float(np.var(defined, ddof=1)))
    half = float(stats.t.ppf(1 - LEVEL / 2, count - 1)) * error
    return Estimate(mean, mean - half, mean + half, count, missing, error)


def compare(ours: Sequence[float], theirs: Sequence[float], test_to_train: float, rope: float) -> Comparison:
    """Compare paired scores.

    Args:
        ours: One score per split.
        theirs: Those of the other arm on the same splits, in the same order.
        test_to_train: As in `estimate`.
        rope: Half width of the region of practical equivalence around 0.

    Returns:
        With `p_difference` two-sided against 0 and `p_equivalence` the larger one of both one-sided tests against
        the ends of the region (Schuirmann 1987, doi:10.1007/BF01068419); NaN with fewer than two defined pairs.
    """
    difference = estimate([one - other for one, other in zip(ours, theirs, strict=True)], test_to_train)
    if difference.count < 2:
        return Comparison(difference, math.nan, math.nan)
    two_sided = 2 * _upper_tail(abs(difference.mean), difference)
    above = _upper_tail(difference.mean + rope, difference)
    below = _upper_tail(rope - difference.mean, difference)
    return Comparison(difference, min(1.0, two_sided), max(above, below))


def _upper_tail(distance: float, difference: Estimate) -> float:
    if difference.standard_error == 0:  # every split differs by the same: no doubt on either side
        return 0.0 if distance > 0 else 0.5 if distance == 0 else 1.0
    return float(stats.t.sf(distance / difference.standard_error, difference.count - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values of a family of tests; NaN stays NaN and counts for none.

    Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    order = sorted((number for number, p in enumerate(p_values) if not math.isnan(p)), key=p_values.__getitem__)
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, number in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[number]))
        adjusted[number] = largest
    return adjusted


def decide(comparison: Comparison, p_difference: float, p_equivalence: float) -> str:
    """Return the verdict of ours against theirs from the adjusted p-values of a family.

    Equivalent: both one-sided tests reject. Else better or worse: the difference is not 0. Else inconclusive.
    """
    if math.isnan(p_difference):
        return "undefined"
    if p_equivalence < LEVEL:
        return "equivalent"
    if p_difference < LEVEL:
        return "better" if comparison.difference.mean > 0 else "worse"
    return "inconclusive"
