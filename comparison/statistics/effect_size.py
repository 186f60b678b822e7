"""How large a difference is beside its spread over splits."""

import math

import numpy as np

from .estimate import Floats

__all__ = ["standardized_difference"]


def standardized_difference(differences: Floats, without_spread: bool = False) -> float:
    """Return the mean divided by the standard deviation of paired differences (Cohen's d_z).

    The spread is that over splits, so the value depends on how many rows a split tests: it compares arms of one
    study, not studies. Splits that all differ by the same: infinite, or 0 where they do not differ.

    Args:
        differences: One per split (S,), all defined; NaN is returned with fewer than two.
        without_spread: Whether they differ by rounding alone.

    Example:
        >>> standardized_difference(np.array([0.01, 0.02, 0.03]))
        2.0
    """
    if len(differences) < 2:
        return math.nan
    mean, spread = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if without_spread or spread == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / spread
