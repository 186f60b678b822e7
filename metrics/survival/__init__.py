"""Survival: concordance, calibration and errors of predictions, curves and tests of groups."""

from ... import __version__ as _version  # noqa: F401  (refuses `import metrics` from the checkout)
from .classes import ConcordanceIndex
from .concordance import concordance_index

__all__ = ["ConcordanceIndex", "concordance_index"]
