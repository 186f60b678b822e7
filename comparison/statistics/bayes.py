"""The Bayesian correlated t-test: how probable it is that a difference lies below, within or above a region."""

import math
from typing import NamedTuple

from .corrected import upper_tail
from .estimate import Estimate

__all__ = ["Probabilities", "correlated_t_probabilities"]


class Probabilities(NamedTuple):
    """Posterior probabilities that the first is worse, equivalent, better; they add up to 1.

    Example:
        >>> Probabilities(worse=0.01, equivalent=0.2, better=0.79).better
        0.79
    """

    worse: float
    equivalent: float
    better: float


def correlated_t_probabilities(difference: Estimate, rope: float) -> Probabilities:
    """Return the posterior mass below -rope, within and above rope.

    Differences of splits are normal with a common mean, variance and correlation test rows / (test + training rows);
    the prior is 1/variance. The posterior of the mean is a Student t with n - 1 degrees of freedom around the
    observed mean, whose scale is the error of Nadeau and Bengio: Corani and Benavoli, "A Bayesian approach for
    comparing cross-validated algorithms on multiple data sets" (2015), doi:10.1007/s10994-015-5486-z; Benavoli et
    al., "Time for a change" (2017), arXiv:1606.04316. With more than 11 splits the degrees of freedom stay at 10, as
    in the tests, so that probabilities and verdicts rest on the same distribution.

    Args:
        difference: Mean difference over splits.
        rope: Half width of the region of practical equivalence.

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> found = correlated_t_probabilities(estimate_mean([0.03, 0.05, 0.04, 0.06], test_fraction=0.25), rope=0.01)
        >>> round(sum(found), 12), found.better > 0.95
        (1.0, True)
    """
    better = upper_tail(rope - difference.mean, difference)
    worse = upper_tail(rope + difference.mean, difference)
    return Probabilities(worse, max(0.0, 1 - better - worse) if not math.isnan(better) else math.nan, better)
