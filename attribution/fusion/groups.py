"""Groups of patients to compare: by the risk that a model gives, or by what happened to them.

Groups by predicted risk describe the model: they were formed by the very network whose attention is then compared.
Groups by the observed outcome do not know the network.

Shapes: N patients.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

__all__ = ["groups_by_outcome", "groups_by_risk"]

Floats: TypeAlias = NDArray[np.floating[Any]]


def groups_by_risk(risk: Floats, fold: Any) -> Floats:
    """Return (N,): 1 above the median risk of the patient's fold, 0 below it; NaN for who lies on it.

    Risks of different networks have different scales, so that only those of a fold are compared.

    Args:
        risk: (N,).
        fold: (N,) fold of each patient, or one for all.

    Example:
        >>> groups_by_risk(np.array([1.0, 2.0, 30.0, 40.0]), np.array([0, 0, 1, 1])).tolist()
        [0.0, 1.0, 0.0, 1.0]
    """
    folds = np.broadcast_to(np.asarray(fold), risk.shape)
    found = np.full(len(risk), np.nan)
    for part in np.unique(folds):
        members = folds == part
        centred = risk[members] - np.median(risk[members])
        found[members] = np.where(centred > 0, 1.0, np.where(centred < 0, 0.0, np.nan))
    return found


def groups_by_outcome(target: Floats, horizon: float | None = None) -> Floats:
    """Return (N,): 1 for who had the event within the horizon, 0 for who was followed beyond it without; else NaN.

    Args:
        target: (N, 2) time and event.
        horizon: In the unit of the times; None takes the median time of the events.

    Raises:
        InputError: If nobody had the event.

    Example:
        >>> groups_by_outcome(np.array([[2.0, 1], [3.0, 0], [9.0, 0], [5.0, 1]]), horizon=4.0).tolist()
        [1.0, nan, 0.0, 0.0]
    """
    time, event = target[:, 0], target[:, 1] > 0
    if horizon is None and not event.any():
        raise InputError("nobody had the event, so there is no median time of events; give a horizon")
    end = float(np.median(time[event])) if horizon is None else horizon
    return np.where(event & (time <= end), 1.0, np.where(time > end, 0.0, np.nan))
