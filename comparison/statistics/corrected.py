"""The corrected resampled t-test and its limit without spread (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366)."""

import math

from scipy import stats

from .estimate import Estimate

__all__ = ["two_sided_p", "upper_tail"]

# A mean difference that lies on an edge on paper may miss it by this share of its size.
ON_THE_EDGE = 1e-12


def upper_tail(distance: float, estimate: Estimate) -> float:
    """Return the probability that a t value, of the estimate's error and degrees of freedom, exceeds `distance`.

    Splits that all differ by the same leave no doubt on which side of the edge the difference lies: then it is 0
    above the edge, 1 below it and 1/2 on it, the limits for vanishing spread.

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> upper_tail(0.02, estimate_mean([0.01, 0.02, 0.03], test_fraction=0.2)) < 0.1
        True
    """
    if estimate.count < 2 or math.isnan(distance):
        return math.nan
    if estimate.standard_error > 0:
        return float(stats.t.sf(distance / estimate.standard_error, estimate.degrees_of_freedom))
    if abs(distance) <= ON_THE_EDGE * abs(estimate.mean):
        return 0.5
    return 0.0 if distance > 0 else 1.0


def two_sided_p(estimate: Estimate) -> float:
    """Return the probability of a mean at least as far from 0 if the true difference is 0.

    t = mean / sqrt((1/n + test rows / training rows) variance), `Estimate.degrees_of_freedom`: min(n - 1, 10).

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> two_sided_p(estimate_mean([0.5, 0.5, 0.5], test_fraction=0.2))
        0.0
    """
    # the distance is not negative, so the tail is at most one half
    return 2 * upper_tail(abs(estimate.mean), estimate)
