"""Survival: concordance, calibration and errors of predictions, curves and tests of groups."""

from ... import __version__ as _version  # noqa: F401  (refuses `import metrics` from the checkout)
from .brier import brier_score, integrated_brier_score
from .classes import (
    BrierScore,
    ConcordanceIndex,
    DCalibration,
    IntegratedBrierScore,
    TimeDependentAUC,
    UnoConcordance,
)
from .concordance import concordance_index
from .concordance_intervals import (
    ConcordanceDifference,
    ConcordanceInterval,
    concordance_difference,
    concordance_interval,
)
from .d_calibration import DCalibrationResult, d_calibration
from .kaplan_meier import SurvivalCurve, kaplan_meier
from .log_rank import LogRankResult, log_rank_test
from .risk_groups import risk_groups
from .time_dependent_auc import TimeDependentAreas, time_dependent_auc
from .uno import uno_concordance

__all__ = [
    "BrierScore",
    "ConcordanceDifference",
    "ConcordanceIndex",
    "ConcordanceInterval",
    "DCalibration",
    "DCalibrationResult",
    "IntegratedBrierScore",
    "LogRankResult",
    "SurvivalCurve",
    "TimeDependentAUC",
    "TimeDependentAreas",
    "UnoConcordance",
    "brier_score",
    "concordance_difference",
    "concordance_index",
    "concordance_interval",
    "d_calibration",
    "integrated_brier_score",
    "kaplan_meier",
    "log_rank_test",
    "risk_groups",
    "time_dependent_auc",
    "uno_concordance",
]
