"""The rule that turns a difference, its interval and its p-values into one of four words."""

import math
from typing import Literal, NamedTuple, TypeAlias

from .estimate import Estimate

__all__ = ["Verdict", "VerdictWord", "decide"]

VerdictWord: TypeAlias = Literal["better", "worse", "equivalent", "inconclusive"]


class Verdict(NamedTuple):
    """A verdict and the sentence that says which rule gave it.

    Example:
        >>> Verdict("inconclusive", "Inconclusive: one split.").word
        'inconclusive'
    """

    word: VerdictWord
    rule: str


def decide(difference: Estimate, p_difference: float, p_equivalence: float, rope: float, adjusted: str = "") -> Verdict:
    """Return the verdict on the first arm against the second.

    1. Equivalent: both one-sided tests against ±rope reject, `p_equivalence` < level.
    2. Else better or worse: the corrected interval excludes 0, which is `p_difference` < level.
    3. Else inconclusive.

    Only one of the two claims can be false at a time (a difference of 0 lies within every region), so each of them at
    the level gives a false verdict with at most that probability.

    Args:
        difference: Mean difference with its corrected interval.
        p_difference: Two-sided, adjusted for its family where there is one.
        p_equivalence: Larger one of both one-sided p-values, adjusted in the same way.
        rope: Half width of the region of practical equivalence.
        adjusted: How p-values were adjusted, e.g. "Holm over 12 comparisons"; empty: they were not.

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> difference = estimate_mean([0.03, 0.04, 0.05], test_fraction=0.1)
        >>> decide(difference, p_difference=0.02, p_equivalence=0.97, rope=0.01).word
        'better'
    """
    if difference.count < 2 or math.isnan(p_difference):
        total = difference.count + difference.missing
        reason = f"{difference.count} of {total} splits {'has' if difference.count == 1 else 'have'} both scores"
        return Verdict("inconclusive", f"Inconclusive: {reason}, and an interval needs two.")
    figures = _figures(difference, rope, adjusted)
    if p_equivalence < difference.level:
        return Verdict("equivalent", f"Equivalent: both one-sided tests {figures.region} ({_p(p_equivalence)}).")
    if p_difference < difference.level:
        word: VerdictWord = "better" if difference.mean > 0 else "worse"
        return Verdict(word, f"{word.capitalize()}: {figures.interval} excludes 0 ({_p(p_difference)}{figures.after}).")
    return Verdict(
        "inconclusive",
        f"Inconclusive: {figures.interval} {_reason_of(difference, p_difference)} ({_p(p_difference)}{figures.after}), "
        f"and equivalence within ±{rope:g} is not shown ({_p(p_equivalence)}).",
    )


class _Figures(NamedTuple):
    interval: str
    region: str
    after: str


def _figures(difference: Estimate, rope: float, adjusted: str) -> _Figures:
    after = f", {adjusted}" if adjusted else ""
    ends = f"[{difference.low:+.4g}, {difference.high:+.4g}]"
    interval = f"the corrected {100 * (1 - difference.level):g} % interval {ends} of the difference"
    region = f"place the difference of {difference.mean:+.4g} within ±{rope:g}{after}"
    return _Figures(interval, region, after)


def _reason_of(difference: Estimate, p_difference: float) -> str:
    """Say why a difference is not beyond doubt: its own interval holds 0, or the correction for the family does."""
    if difference.low > 0 or difference.high < 0:
        return "excludes 0 alone but not after the correction"
    return "holds 0"


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"
