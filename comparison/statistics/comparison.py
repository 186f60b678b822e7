"""The comparison of two arms on the same resampled splits: every test at once, and one verdict.

Shapes: S splits.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...errors import InputError
from .bayes import Probabilities, correlated_t_probabilities
from .corrected import two_sided_p
from .effect_size import standardized_difference
from .equivalence import equivalence_p
from .estimate import (
    ROUNDING,
    Estimate,
    Floats,
    check_level,
    check_test_to_train,
    estimate_values,
    finite_scores,
    mean_over_seeds,
)
from .rank_tests import sign_flip_p, wilcoxon_p
from .verdict import VerdictWord, decide

__all__ = ["Comparison", "compare_scores"]


@dataclass(frozen=True)
class Comparison:
    """Two arms over the same splits; positive differences speak for the first.

    Attributes:
        verdict: Of the first against the second: "better", "worse", "equivalent" or "inconclusive".
        rule: One sentence: which rule gave the verdict, with its figures.
        estimate: Mean difference, corrected interval, error and degrees of freedom.
        p_value: The p-value of the difference that the verdict used: `p_corrected`, or adjusted for a family.
        p_equivalence: Of both one-sided tests against the region, as the verdict used it.
        p_corrected: Two-sided, Nadeau and Bengio, of this comparison alone.
        p_equivalence_alone: Of this comparison alone.
        p_wilcoxon: Signed ranks; ignores the overlap of training sets.
        p_permutation: Random signs; ignores the overlap.
        p_uncorrected: Paired t-test, n - 1 degrees of freedom; ignores the overlap.
        probabilities: Posterior of the Bayesian correlated t-test.
        effect_size: Mean difference in standard deviations over splits.
        rope: Half width of the region of practical equivalence.
        adjustment: "none", "holm" or "bh".
        family: How many comparisons were adjusted together.

    Example:
        >>> found = compare_scores([0.91, 0.93, 0.94], [0.90, 0.91, 0.90], test_fraction=1 / 3, rope=0.01)
        >>> found.verdict, round(found.difference, 4), found.count
        ('inconclusive', 0.0233, 3)
    """

    verdict: VerdictWord
    rule: str
    estimate: Estimate
    p_value: float
    p_equivalence: float
    p_corrected: float
    p_equivalence_alone: float
    p_wilcoxon: float
    p_permutation: float
    p_uncorrected: float
    probabilities: Probabilities
    effect_size: float
    rope: float
    adjustment: str = "none"
    family: int = 1

    @property
    def difference(self) -> float:
        """Mean difference, first minus second."""
        return self.estimate.mean

    @property
    def interval(self) -> tuple[float, float]:
        """Corrected interval of the difference, of this comparison alone."""
        return self.estimate.low, self.estimate.high

    @property
    def count(self) -> int:
        """Splits with both scores."""
        return self.estimate.count

    @property
    def missing(self) -> int:
        """Splits where a score is missing."""
        return self.estimate.missing

    @property
    def level(self) -> float:
        """Probability of a false verdict that the rule allows."""
        return self.estimate.level

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is not finite is None."""
        estimate = asdict(self.estimate)
        low, high = estimate.pop("low"), estimate.pop("high")
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "estimate"}
        plain = {
            **fields,
            **{"difference" if name == "mean" else name: value for name, value in estimate.items()},
            "interval": [_plain(low), _plain(high)],
            "probabilities": {name: _plain(value) for name, value in self.probabilities._asdict().items()},
        }
        return {name: _plain(value) for name, value in plain.items()}


def compare_scores(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    test_fraction: float,
    rope: float,
    level: float = 0.05,
    train_fraction: float | None = None,
) -> Comparison:
    """Compare two arms that were scored on the same resampled splits.

    Larger scores are better; give losses with their sign changed. Both arms need the same splits in the same order,
    and where seeds are given the same seeds; a pair with an undefined score is left out, a split without any pair is
    counted as missing.

    Args:
        scores_a: Scores of the first arm, one per split (S,), or (S, seeds).
        scores_b: Those of the second, of the same shape.
        test_fraction: Share of all rows that one split tests: 1/k with k folds.
        rope: Half width of the region of practical equivalence, in units of the score.
        level: Probability of a false verdict.
        train_fraction: Share of all rows that one split trains on, where validation rows are held back as well;
            None: all the others.

    Returns:
        The verdict by `decide`, and everything beside it.

    Raises:
        InputError: If shapes differ, a score is infinite, the region negative or a fraction outside (0, 1).

    Example:
        >>> real = [0.90, 0.92, 0.91, 0.93, 0.90, 0.91, 0.92, 0.90, 0.93, 0.91]
        >>> null = [0.84, 0.85, 0.86, 0.86, 0.84, 0.85, 0.84, 0.84, 0.86, 0.85]
        >>> found = compare_scores(real, null, test_fraction=0.2, rope=0.01)
        >>> print(found.rule)
        Better: the corrected 95 % interval [+0.05271, +0.07529] of the difference excludes 0 (p < 0.0001).
    """
    if not (math.isfinite(rope) and rope >= 0):
        raise InputError(f"rope is {rope}; it is the half width of a region around 0, so 0 or more")
    ratio, level = check_test_to_train(test_fraction, train_fraction), check_level(level)
    differences, size = paired_differences(scores_a, scores_b)
    estimate = estimate_values(differences, ratio, level, size)
    p_corrected, p_equivalence = two_sided_p(estimate), equivalence_p(estimate, rope)
    verdict = decide(estimate, p_corrected, p_equivalence, rope)
    defined = differences[np.isfinite(differences)]
    return Comparison(
        verdict=verdict.word,
        rule=verdict.rule,
        estimate=estimate,
        p_value=p_corrected,
        p_equivalence=p_equivalence,
        p_corrected=p_corrected,
        p_equivalence_alone=p_equivalence,
        p_wilcoxon=wilcoxon_p(defined),
        p_permutation=sign_flip_p(defined),
        p_uncorrected=two_sided_p(estimate_values(differences, 0.0, level, size)),
        probabilities=correlated_t_probabilities(estimate, rope),
        effect_size=standardized_difference(defined, without_spread=estimate.standard_error == 0),
        rope=rope,
    )


def paired_differences(scores_a: ArrayLike, scores_b: ArrayLike) -> tuple[Floats, float]:
    """Return first minus second per split (S,), NaN without a pair, and the largest size of a score."""
    first, second = finite_scores("scores_a", scores_a), finite_scores("scores_b", scores_b)
    if len(first) != len(second):
        raise InputError(
            f"scores_a has {len(first)} splits and scores_b {len(second)}; paired arms have the same splits in the "
            "same order"
        )
    if first.shape != second.shape:
        raise InputError(
            f"scores_a has {first.shape[1]} seeds per split and scores_b {second.shape[1]}; average them before they "
            "are compared, or give the same seeds"
        )
    pairs = first - second
    paired = np.isfinite(pairs)
    size = max((float(np.abs(side[paired]).max(initial=0.0)) for side in (first, second)), default=0.0)
    return mean_over_seeds(np.where(np.abs(pairs) <= ROUNDING * size, 0.0, pairs)), size


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
