"""Two one-sided tests against a region of practical equivalence, with the corrected error."""

from .corrected import upper_tail
from .estimate import Estimate

__all__ = ["equivalence_p"]


def equivalence_p(difference: Estimate, rope: float) -> float:
    """Return the larger p-value of the two one-sided tests: small where the difference lies within ±rope.

    Schuirmann, "A comparison of the two one-sided tests procedure" (1987), doi:10.1007/BF01068419, with the standard
    error of Nadeau and Bengio and min(n - 1, 10) degrees of freedom. A difference on the edge of the region is not
    within it.

    Args:
        difference: Mean difference over splits.
        rope: Half width of the region around 0.

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> difference = estimate_mean([0.001, -0.002, 0.0, 0.001], test_fraction=0.25)
        >>> equivalence_p(difference, rope=0.01) < 0.01, equivalence_p(difference, rope=0.0) >= 0.5
        (True, True)
    """
    return max(upper_tail(difference.mean + rope, difference), upper_tail(rope - difference.mean, difference))
