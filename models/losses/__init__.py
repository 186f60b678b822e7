"""Losses of survival: functions of network outputs, times and events, stable in log space."""

from .cox import cox_loss
from .deephit import deephit_loss
from .discrete_time import discrete_time_nll
from .mtlr import mtlr_loss
from .ranking import ranking_loss
from .survival_curve import survival_curve

__all__ = ["cox_loss", "deephit_loss", "discrete_time_nll", "mtlr_loss", "ranking_loss", "survival_curve"]
