"""How often each test claims what is not so, and each verdict as the true difference grows: many data sets at once.

Shapes: D data sets, S splits.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from axonlight.comparison.statistics.estimate import FREEDOM_OF_OVERLAPPING_SPLITS
from numpy.typing import NDArray
from scipy import stats

__all__ = ["VERDICTS", "Errors", "count_errors", "verdict_shares", "verdicts"]

Floats: TypeAlias = NDArray[np.float64]

VERDICTS = ("better", "worse", "equivalent", "inconclusive")
LEVEL = 0.05
FLIPS = 999  # with the observed signs a multiple of 20: the smallest shares are exact


@dataclass(frozen=True)
class Errors:
    """How many of the data sets, whose arms do not differ, get each false claim.

    `false_equivalent` is another question: how many are called equivalent if the true difference is the edge of the
    region, which is `rope` = three standard deviations of the mean difference over data sets. The counts `with_n_1`
    are what n - 1 degrees of freedom would give in place of the verdict's, which end at 10.
    """

    datasets: int
    better: int
    worse: int
    with_n_1: int
    uncorrected: int
    wilcoxon: int
    signs: int
    rope: float
    false_equivalent: int
    false_equivalent_with_n_1: int
    deviation: float
    variance_ratio: float

    @property
    def false(self) -> int:
        """Data sets with the verdict better or worse."""
        return self.better + self.worse


def count_errors(differences: Floats, test_fraction: float) -> Errors:
    """Return the false claims on differences (D, S) of exchangeable arms."""
    mean, variance, splits = differences.mean(axis=1), differences.var(axis=1, ddof=1), differences.shape[1]
    # Without a region nothing is called equivalent: the most that can be called better or worse.
    found = verdicts(differences, test_fraction, rope=0.0)
    uncapped = verdicts(differences, test_fraction, rope=0.0, freedom=splits - 1)
    uncorrected = stats.ttest_1samp(differences, 0, axis=1).pvalue
    ranks = stats.wilcoxon(differences, axis=1, method="asymptotic").pvalue
    deviation = float(mean.std())
    rope = 3 * deviation
    corrected = _factor(splits, test_fraction) * variance
    on_the_edge = differences + rope
    return Errors(
        datasets=len(differences),
        better=int(np.sum(found == "better")),
        worse=int(np.sum(found == "worse")),
        with_n_1=int(np.sum(uncapped != "inconclusive")),
        uncorrected=int(np.sum(uncorrected < LEVEL)),
        wilcoxon=int(np.sum(ranks < LEVEL)),
        signs=int(np.sum(_sign_flip_p(differences) < LEVEL)),
        rope=rope,
        false_equivalent=int(np.sum(verdicts(on_the_edge, test_fraction, rope) == "equivalent")),
        false_equivalent_with_n_1=int(
            np.sum(verdicts(on_the_edge, test_fraction, rope, freedom=splits - 1) == "equivalent")
        ),
        deviation=deviation,
        variance_ratio=float(mean.var() / corrected.mean()),
    )


def verdict_shares(differences: Floats, test_fraction: float, rope: float, shift: float) -> dict[str, float]:
    """Return the share of each verdict if the first arm is better by `shift` on every split."""
    found = verdicts(differences + shift, test_fraction, rope)
    return {verdict: float(np.mean(found == verdict)) for verdict in VERDICTS}


def verdicts(differences: Floats, test_fraction: float, rope: float, freedom: int | None = None) -> NDArray[np.str_]:
    """Return the verdict (D,) of `compare_scores` for every row of differences (D, S).

    Args:
        differences: First arm minus second.
        test_fraction: Share of the rows that a split tests.
        rope: Half width of the region of equivalence.
        freedom: Degrees of freedom of t; None: those of `compare_scores`.
    """
    mean, splits = differences.mean(axis=1), differences.shape[1]
    freedom = freedom or min(splits - 1, FREEDOM_OF_OVERLAPPING_SPLITS)
    error = np.sqrt(_factor(splits, test_fraction) * differences.var(axis=1, ddof=1))
    two_sided, one_sided = (stats.t.isf(tail, freedom) * error for tail in (LEVEL / 2, LEVEL))
    equivalent = np.abs(mean) + one_sided < rope
    claims = [equivalent, mean > two_sided, mean < -two_sided]
    return np.select(claims, ["equivalent", "better", "worse"], "inconclusive")


def _factor(splits: int, test_fraction: float) -> float:
    return 1 / splits + test_fraction / (1 - test_fraction)


def _sign_flip_p(differences: Floats) -> Floats:
    """Return p-values (D,) of the mean under random signs, the same signs for all data sets."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(differences.shape[1], FLIPS))
    flipped = np.abs(differences @ signs)
    observed = np.abs(differences.sum(axis=1, keepdims=True))
    return (1 + np.sum(flipped >= observed - 1e-12, axis=1)) / (1 + FLIPS)
