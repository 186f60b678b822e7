"""How many splits, seeds or draws a decision still needs, if the scatter stays what it is.

These are plans for a new study, or for a number fixed beforehand. Adding splits until a verdict appears and stopping
there raises the share of false verdicts above the level.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from scipy import stats

from ...errors import InputError
from .comparison import Comparison
from .estimate import freedom_of
from .null_test import EmpiricalTest

__all__ = ["Forecast", "draws_needed", "draws_to_decide", "seeds_needed", "splits_needed"]

Outcome: TypeAlias = Literal["better", "worse", "equivalent", "inconclusive"]

MOST = 1_000_000


@dataclass(frozen=True)
class Forecast:
    """What more runs of one kind would do to a comparison, its mean and variance staying what they are.

    Attributes:
        unit: What is counted: "splits" or "seeds".
        now: How many there are.
        needed: How many a decision needs in all; None if no number is enough.
        outcome: The verdict then; "inconclusive" if no number is enough.
        limit: Half width of the corrected interval with any number of them: it cannot become narrower.
        sentence: The same in words.

    Example:
        >>> Forecast("splits", 10, 25, "better", 0.01, "25 splits would do.").needed
        25
    """

    unit: str
    now: int
    needed: int | None
    outcome: Outcome
    limit: float
    sentence: str


def splits_needed(comparison: Comparison) -> Forecast:
    """Return how many splits (folds x repeats) a verdict needs.

    The corrected variance of a mean is (1/n + test rows / training rows) times that of one difference. Repeats of the
    same folds raise n alone: the error never falls below sqrt(test rows / training rows x variance), and the degrees of
    freedom of t never pass 10, so beyond some repeats only more rows, more folds (smaller test sets) or less scatter
    within a split can decide.

    Args:
        comparison: Of splits seen so far; in a family, p-values are taken to be multiplied by its size, the worst
            case.

    Example:
        >>> from axonlight.comparison import compare_scores
        >>> scores = [0.90, 0.94, 0.91, 0.93, 0.91], [0.89, 0.91, 0.91, 0.91, 0.88]
        >>> found = splits_needed(compare_scores(*scores, test_fraction=0.2, rope=0.01))
        >>> found.needed, found.outcome
        (10, 'better')
    """
    estimate = comparison.estimate
    variance = _variance_of(comparison)

    def error_of(splits: float) -> float:
        return math.sqrt((1 / splits + estimate.test_to_train) * variance)

    def freedom(splits: int) -> int:
        return freedom_of(splits, estimate.test_to_train)

    limit = _two_sided(comparison, freedom(MOST)) * error_of(math.inf)
    return _forecast(
        comparison,
        "splits",
        estimate.count,
        limit,
        lambda n: _outcome(comparison, error_of(n), freedom(n)),
        starts_at=2,
    )


def seeds_needed(comparison: Comparison, seed_variance: float, seeds: int = 1) -> Forecast:
    """Return how many seeds per split a verdict needs, with the splits there are.

    Averaging over seeds takes away the part of the variance of a split's difference that seeds cause, and no other.
    Draws that are averaged within a split count in the same way, with the residual variance as theirs.

    Args:
        comparison: Of splits averaged over `seeds` seeds each.
        seed_variance: Variance of a single seed's difference within a split: the seed component of
            `variance_components` on the paired differences.
        seeds: How many seeds each split has now.

    Raises:
        InputError: If the variance is negative or `seeds` is not positive.

    Example:
        >>> from axonlight.comparison import compare_scores
        >>> scores = [0.90, 0.94, 0.91, 0.93, 0.91], [0.89, 0.91, 0.91, 0.91, 0.88]
        >>> found = seeds_needed(compare_scores(*scores, test_fraction=0.2, rope=0.01), seed_variance=1e-4)
        >>> found.needed, found.outcome
        (5, 'better')
    """
    if seeds < 1 or not seed_variance >= 0:
        raise InputError(
            f"seeds is {seeds} and seed_variance {seed_variance}; there is at least one seed, and a variance is not "
            "negative"
        )
    estimate, variance = comparison.estimate, _variance_of(comparison)
    factor = 1 / max(1, estimate.count) + estimate.test_to_train
    fixed = max(0.0, variance - seed_variance / seeds)

    def error_of(count: float) -> float:
        return math.sqrt(factor * (fixed + seed_variance / count))

    freedom = estimate.degrees_of_freedom
    limit = _two_sided(comparison, freedom) * error_of(math.inf)
    return _forecast(
        comparison, "seeds", seeds, limit, lambda n: _outcome(comparison, error_of(n), freedom), starts_at=1
    )


def draws_needed(p_floor: float) -> int:
    """Return the smallest number of draws whose empirical p can be as small as `p_floor`: 1/(1 + N) <= p_floor.

    Raises:
        InputError: If `p_floor` is outside (0, 1).

    Example:
        >>> draws_needed(0.01), draws_needed(0.05), draws_needed(0.03)
        (99, 19, 33)
    """
    if not 0 < p_floor < 1:
        raise InputError(f"p_floor is {p_floor}; it is a probability between 0 and 1, as 0.01 for 99 draws")
    return math.ceil(1 / p_floor - 1 - 1e-9)


def draws_to_decide(test: EmpiricalTest, level: float = 0.05) -> int | None:
    """Return how many draws an empirical p at most `level` needs, if the share of draws as good as the real stays.

    Returns:
        The number in all, at least those there are if they are enough; None where the share is not below the level.

    Example:
        >>> from axonlight.comparison import empirical_p
        >>> draws_to_decide(empirical_p(0.9, [0.8] * 9)), draws_to_decide(empirical_p(0.9, [0.8] * 9 + [0.95]))
        (19, None)
    """
    least = draws_needed(level)
    share = test.exceeding / test.count if test.count else 0.0
    if math.isnan(test.p):
        return least
    if test.p <= level:
        return test.count
    if share >= level:
        return None
    # (1 + share N) / (1 + N) <= level
    return max(least, test.count, math.ceil((1 - level) / (level - share) - 1e-9))


def _variance_of(comparison: Comparison) -> float:
    """Return the variance of one split's difference."""
    estimate = comparison.estimate
    if estimate.count < 2:
        return math.nan
    return estimate.standard_error**2 / (1 / estimate.count + estimate.test_to_train)


def _two_sided(comparison: Comparison, freedom: int) -> float:
    return float(stats.t.isf(comparison.level / comparison.family / 2, freedom))


def _outcome(comparison: Comparison, error: float, freedom: int) -> Outcome:
    """Return the verdict that the observed mean would have with another error and degrees of freedom."""
    mean = comparison.difference
    one_sided = float(stats.t.isf(comparison.level / comparison.family, freedom))
    if abs(mean) + one_sided * error < comparison.rope:
        return "equivalent"
    if abs(mean) > _two_sided(comparison, freedom) * error:
        return "better" if mean > 0 else "worse"
    return "inconclusive"


def _forecast(
    comparison: Comparison,
    unit: str,
    now: int,
    limit: float,
    outcome_of: Callable[[int], Outcome],
    starts_at: int,
) -> Forecast:
    if comparison.count < 2:
        return Forecast(unit, now, None, "inconclusive", math.nan, "Fewer than two splits say nothing about scatter.")
    needed = _smallest(lambda n: outcome_of(n) != "inconclusive", starts_at)
    if needed is None:
        sentence = (
            f"No number of {unit} decides: the interval cannot become narrower than ±{limit:.2g} around a difference "
            f"of {comparison.difference:+.2g}."
        )
        return Forecast(unit, now, None, "inconclusive", limit, sentence)
    outcome = outcome_of(needed)
    more = f"{needed - now:,} more {unit}" if needed > now else f"the {now:,} {unit} there are"
    sentence = f"With this mean and scatter {more} would decide for {outcome!r} ({needed:,} in all)."
    return Forecast(unit, now, needed, outcome, limit, sentence)


def _smallest(enough: Callable[[int], bool], starts_at: int) -> int | None:
    """Return the smallest number that is enough, if all above it are; None if none is up to a million."""
    if not enough(MOST):
        return None
    low, high = starts_at - 1, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
