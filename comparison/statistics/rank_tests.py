"""Tests of paired differences without the t distribution; neither knows that training sets overlap.

They are shown beside the corrected test and decide nothing: with overlapping splits they reject too often.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .estimate import Floats

__all__ = ["sign_flip_p", "wilcoxon_p"]

RESAMPLES = 9999
ENUMERATED = 13  # as many values have fewer combinations of signs than that


def wilcoxon_p(differences: Floats) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; 1 where no split differs.

    scipy.stats.wilcoxon: exact for up to 50 splits without ties, splits that do not differ are left out. With ties up
    to 13 splits are exact (all signs of the ranks, as SciPy does it, in a hundredth of its time), more approximate.

    Args:
        differences: One per split (S,), all defined; NaN is returned with fewer than two.

    Example:
        >>> wilcoxon_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
        0.0625
    """
    if len(differences) < 2:
        return math.nan
    if not np.any(differences):
        return 1.0
    # differences that are equal on paper share a rank
    rounded = np.round(differences / np.abs(differences).max(), 10)
    changed = rounded[rounded != 0]
    ranks = stats.rankdata(np.abs(changed))
    if len(set(ranks)) < len(ranks) <= ENUMERATED:
        return sign_flip_p(np.sign(changed) * ranks)
    found: Any = stats.wilcoxon(changed)
    return float(found.pvalue)


def sign_flip_p(differences: Floats, seed: int = 0) -> float:
    """Return the two-sided p-value of the mean under random signs: all of them for up to 13 splits, else 9,999.

    scipy.stats.permutation_test; drawn signs give (1 + k) / (1 + N).

    Args:
        differences: One per split (S,), all defined; NaN is returned with fewer than two.
        seed: Of the random signs; the same differences give the same value.

    Example:
        >>> sign_flip_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
        0.0625
    """
    if len(differences) < 2:
        return math.nan
    found = stats.permutation_test(
        (differences,),
        _mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _mean(values: Floats, axis: int) -> NDArray[np.float64]:
    return np.mean(values, axis=axis)
