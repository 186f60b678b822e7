"""Statistics of paired, overlapping resampled splits, random draws and families of comparisons; ends in verdicts."""

from ... import __version__ as _version  # noqa: F401  (refuses `import statistics` from the checkout)
from .bayes import Probabilities
from .comparison import Comparison, compare_scores
from .components import VarianceComponents, variance_components
from .estimate import Estimate, estimate_mean
from .families import adjust
from .mean_squares import Variance
from .null_test import EmpiricalTest, empirical_p
from .planning import Forecast, draws_needed, draws_to_decide, seeds_needed, splits_needed

__all__ = [
    "Comparison",
    "EmpiricalTest",
    "Estimate",
    "Forecast",
    "Probabilities",
    "Variance",
    "VarianceComponents",
    "adjust",
    "compare_scores",
    "draws_needed",
    "draws_to_decide",
    "empirical_p",
    "estimate_mean",
    "seeds_needed",
    "splits_needed",
    "variance_components",
]
