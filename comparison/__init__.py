"""Studies: planned, paired comparisons of arms, judged by statistics that say when nothing can be said."""

from .. import __version__ as _version  # noqa: F401  (refuses `import comparison` from the checkout)
from .design import Arm, Plan, PlannedRun, StudyFields
from .ledger import Ledger
from .statistics import (
    Comparison,
    EmpiricalTest,
    Estimate,
    Forecast,
    Probabilities,
    Variance,
    VarianceComponents,
    adjust,
    compare_scores,
    draws_needed,
    draws_to_decide,
    empirical_p,
    estimate_mean,
    seeds_needed,
    splits_needed,
    variance_components,
)
from .study import Study

__all__ = [
    "Arm",
    "Comparison",
    "EmpiricalTest",
    "Estimate",
    "Forecast",
    "Ledger",
    "Plan",
    "PlannedRun",
    "Probabilities",
    "Study",
    "StudyFields",
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
