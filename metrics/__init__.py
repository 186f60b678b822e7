"""Metrics that say NaN, with a count, where torchmetrics says 0 or 0.5."""

from .. import __version__ as _version  # noqa: F401  (refuses `import metrics` from the checkout)
from .classification import classification_metrics
from .in_context import induction_strength, phase_change_point, plateau_share, previous_token_score
from .regression import regression_metrics
from .survival import ConcordanceIndex, concordance_index

__all__ = [
    "ConcordanceIndex",
    "classification_metrics",
    "concordance_index",
    "induction_strength",
    "phase_change_point",
    "plateau_share",
    "previous_token_score",
    "regression_metrics",
]
