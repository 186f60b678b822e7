"""Variances from mean squares of a balanced analysis of variance, with intervals."""

import math
from typing import NamedTuple

from scipy import stats

__all__ = ["MeanSquare", "Variance", "difference_of", "multiple_of"]


class Variance(NamedTuple):
    """A variance component and its interval.

    Example:
        >>> Variance(0.04, 0.01, 0.2).deviation
        0.2
    """

    estimate: float
    low: float
    high: float

    @property
    def deviation(self) -> float:
        """Square root of the estimate."""
        return math.sqrt(self.estimate)


class MeanSquare(NamedTuple):
    """A mean square and its degrees of freedom."""

    value: float
    freedom: int


def multiple_of(square: MeanSquare, divisor: float, level: float) -> Variance:
    """Return a mean square divided by a number, with its exact interval for normal values."""
    value = square.value / divisor
    low, high = (square.freedom * value / float(stats.chi2.ppf(q, square.freedom)) for q in (1 - level / 2, level / 2))
    return Variance(value, low, high)


def difference_of(larger: MeanSquare, smaller: MeanSquare, divisor: float, level: float) -> Variance:
    """Return (larger - smaller) / divisor, at least 0, with the interval of Ting and others (1990).

    The squared distance of each end is a weighted sum of both squared mean squares and their product; the weights make
    the interval exact in the limits where one of the two dominates.
    """
    above, below = larger.value, smaller.value
    estimate = max(0.0, (above - below) / divisor)
    tail = level / 2
    upper = _f(1 - tail, larger.freedom, smaller.freedom)
    lower = _f(tail, larger.freedom, smaller.freedom)
    g1, h1 = 1 - 1 / _f(1 - tail, larger.freedom), 1 / _f(tail, larger.freedom) - 1
    g2, h2 = 1 - 1 / _f(1 - tail, smaller.freedom), 1 / _f(tail, smaller.freedom) - 1
    g12 = ((upper - 1) ** 2 - (g1 * upper) ** 2 - h2**2) / upper
    h12 = ((1 - lower) ** 2 - (h1 * lower) ** 2 - g2**2) / lower
    down = (g1 * above) ** 2 + (h2 * below) ** 2 + g12 * above * below
    up = (h1 * above) ** 2 + (g2 * below) ** 2 + h12 * above * below
    low = max(0.0, (above - below - math.sqrt(max(0.0, down))) / divisor)
    high = max(0.0, (above - below + math.sqrt(max(0.0, up))) / divisor)
    return Variance(estimate, low, high)


def _f(probability: float, numerator: int, denominator: int | None = None) -> float:
    """Return a quantile of the F distribution; without a denominator, of chi-squared over its degrees of freedom."""
    if denominator is None:
        return float(stats.chi2.ppf(probability, numerator)) / numerator
    return float(stats.f.ppf(probability, numerator, denominator))
