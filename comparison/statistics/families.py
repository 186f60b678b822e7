"""Verdicts of several comparisons at once: p-values adjusted over arms and metrics decide."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from ...errors import InputError
from .comparison import Comparison
from .verdict import decide

__all__ = ["Adjustment", "adjust", "adjusted_p_values"]

Adjustment: TypeAlias = Literal["holm", "bh", "none"]

_METHODS = {"holm": ("holm", "Holm"), "bh": ("fdr_bh", "Benjamini-Hochberg")}


def adjust(comparisons: Sequence[Comparison], method: Adjustment = "holm") -> list[Comparison]:
    """Return the comparisons of one family with verdicts from adjusted p-values.

    The p-values of the differences are adjusted over the family, and in the same way those of the equivalences;
    `p_value`, `p_equivalence`, `verdict` and `rule` change, the interval stays that of the comparison alone. Adjusting
    starts from the values of each comparison alone, so adjusting twice is adjusting once. Comparisons without a
    p-value stay as they are and count for none.

    With "holm" the chance of any false better or worse in the family is at most the level, and so is that of any
    false equivalent (Holm 1979); with "bh" the expected share of false ones among those claimed is, for independent or
    positively dependent tests (Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x).

    Args:
        comparisons: All that are asked together: arms, metrics, data sets.
        method: "holm", "bh", or "none" for the values alone.

    Raises:
        InputError: If the method is unknown.

    Example:
        >>> from axonlight.comparison import compare_scores
        >>> pairs = [([0.80, 0.81, 0.83, 0.82], [0.78, 0.79, 0.80, 0.80]), ([0.8, 0.9, 0.7, 0.8], [0.7, 0.9, 0.8, 0.8])]
        >>> alone = [compare_scores(a, b, test_fraction=0.25, rope=0.01) for a, b in pairs]
        >>> [found.verdict for found in alone], [found.verdict for found in adjust(alone)]
        (['better', 'inconclusive'], ['better', 'inconclusive'])
        >>> round(adjust(alone)[0].p_value / alone[0].p_value, 6)
        2.0
    """
    differences = adjusted_p_values([each.p_corrected for each in comparisons], method)
    equivalences = adjusted_p_values([each.p_equivalence_alone for each in comparisons], method)
    family = sum(not math.isnan(p) for p in differences)
    return [
        _decide_again(each, p, p_equivalence, method, family)
        for each, p, p_equivalence in zip(comparisons, differences, equivalences, strict=True)
    ]


def adjusted_p_values(p_values: Sequence[float], method: Adjustment = "holm") -> list[float]:
    """Return the adjusted p-values of a family (statsmodels' `multipletests`); NaN stays NaN and counts for none.

    Example:
        >>> [round(p, 3) for p in adjusted_p_values([0.01, 0.04, float("nan"), 0.03, 0.005])]
        [0.03, 0.06, nan, 0.06, 0.02]
    """
    if method not in ("none", *_METHODS):
        raise InputError(f"correction is {method!r}; it is one of {', '.join(_METHODS)}, none")
    defined = [p for p in p_values if not math.isnan(p)]
    if method == "none" or len(defined) < 2:
        return list(p_values)
    # Imported here: statsmodels takes seconds, and most of the package does without it.
    from statsmodels.stats.multitest import multipletests

    adjusted = iter(np.asarray(multipletests(defined, method=_METHODS[method][0])[1]).tolist())
    return [p if math.isnan(p) else next(adjusted) for p in p_values]


def _decide_again(
    comparison: Comparison, p_value: float, p_equivalence: float, method: Adjustment, family: int
) -> Comparison:
    said = f"{_METHODS[method][1]} over {family} comparisons" if method in _METHODS and family > 1 else ""
    verdict = decide(comparison.estimate, p_value, p_equivalence, comparison.rope, said)
    return replace(
        comparison,
        verdict=verdict.word,
        rule=verdict.rule,
        p_value=p_value,
        p_equivalence=p_equivalence,
        adjustment=method,
        family=max(1, family),
    )
