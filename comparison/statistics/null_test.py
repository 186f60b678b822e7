"""One real score among the scores of random draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ...errors import InputError

__all__ = ["Better", "EmpiricalTest", "empirical_p"]

Better: TypeAlias = Literal["larger", "smaller"]

# Scores that are equal on paper count as ties, which speak for the null.
TIE = 1e-12


@dataclass(frozen=True)
class EmpiricalTest:
    """Where a real score lies among those of a null model.

    Attributes:
        p: (1 + draws at least as good) / (1 + draws); one-sided.
        z: Distance from the mean of the draws in their standard deviations, positive where the real score is better;
            NaN with fewer than two draws, infinite where they do not differ.
        percentile: Percentage of draws that the real score beats, ties counted half.
        floor: Smallest p that so many draws can give.
        exceeding: Draws at least as good as the real score.
        count: Draws with a defined score.
        missing: Draws without one: left out.
        mean: Mean of the draws.
        deviation: Standard deviation of the draws.

    Example:
        >>> empirical_p(0.9, [0.5, 0.6, 0.7, 0.95]).p
        0.4
    """

    p: float
    z: float
    percentile: float
    floor: float
    exceeding: int
    count: int
    missing: int
    mean: float
    deviation: float


def empirical_p(real: float, null: ArrayLike | Sequence[float], better: Better = "larger") -> EmpiricalTest:
    """Return where a real score lies among those of random draws.

    p counts the real score among the draws, so it is never 0: Phipson and Smyth, "Permutation p-values should never
    be zero" (2010), doi:10.2202/1544-6115.1585. Draws answer for the null model as a whole; a test over splits
    against one draw, or against the mean of a few, does not.

    Args:
        real: Score of the real structure, averaged over the same splits and seeds as each draw's.
        null: One score per draw; NaN where undefined.
        better: Which scores are good.

    Raises:
        InputError: If a score is infinite or `better` is something else.

    Example:
        >>> found = empirical_p(0.90, [0.80, 0.82, 0.84, 0.86])
        >>> found.p, found.floor, found.percentile, round(found.z, 2)
        (0.2, 0.2, 100.0, 2.71)
    """
    if better not in ("larger", "smaller"):
        raise InputError(f"better is {better!r}; it is 'larger' or 'smaller'")
    draws = np.asarray(null, dtype=np.float64).ravel()
    if np.isinf(draws).any() or math.isinf(real):
        raise InputError("a score is infinite; a score is finite, or NaN where it is undefined")
    sign = 1.0 if better == "larger" else -1.0
    defined = draws[np.isfinite(draws)]
    count, missing = len(defined), len(draws) - len(defined)
    mean = float(defined.mean()) if count else math.nan
    deviation = _deviation(defined)
    margins = _margins(real, defined) * sign
    exceeding = int(np.sum(margins <= 0))
    undefined = math.isnan(real)
    return EmpiricalTest(
        p=math.nan if undefined else (1 + exceeding) / (1 + count),
        z=_z_score(sign * (real - mean), deviation, TIE * abs(mean)),
        percentile=float(stats.percentileofscore(-margins, 0.0, "mean")) if count and not undefined else math.nan,
        floor=1 / (1 + count),
        exceeding=exceeding,
        count=count,
        missing=missing,
        mean=mean,
        deviation=deviation,
    )


def _margins(real: float, draws: np.ndarray) -> np.ndarray:
    """Return real minus draws, exactly 0 for ties."""
    margins = real - draws
    return np.where(np.abs(margins) <= TIE * np.maximum(abs(real), np.abs(draws)), 0.0, margins)


def _deviation(draws: np.ndarray) -> float:
    """Return the standard deviation, exactly 0 where draws differ by rounding alone."""
    if len(draws) < 2:
        return math.nan
    return float(draws.std(ddof=1)) if np.ptp(draws) > TIE * np.abs(draws).max() else 0.0


def _z_score(distance: float, deviation: float, rounding: float) -> float:
    if math.isnan(distance) or math.isnan(deviation):
        return math.nan
    if deviation > 0:
        return distance / deviation
    return math.copysign(math.inf, distance) if abs(distance) > rounding else 0.0
