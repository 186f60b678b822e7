"""Patients in groups of rising risk, cut where the training patients say.

Shapes: n patients, N training patients.
"""

from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from .rows import as_column, checked_rows, refuse

__all__ = ["risk_groups"]

_NAMES = {2: ("low risk", "high risk"), 3: ("low risk", "middle risk", "high risk")}


def risk_groups(
    risk: Any, time: Any, event: Any, training_risk: Any, number: int = 2
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return time and event of the patients of each risk group, lowest first, as `draw_kaplan_meier` takes them.

    The cuts are quantiles of the training risks, the median for two groups. Cuts found on the patients that are drawn
    make any risk look better than it is.

    Args:
        risk: (n,); higher = earlier event.
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        training_risk: (N,) risks that the same model gives its training patients.
        number: Number of groups, 2 or more.

    Returns:
        Groups by name; without those that nobody is in.

    Raises:
        InputError: If a row cannot be used, there are no training risks, or `number` is below 2.

    Example:
        >>> groups = risk_groups([0.1, 0.9, 0.8], [9.0, 2.0, 3.0], [0, 1, 1], training_risk=[0.0, 0.5, 1.0])
        >>> {name: time.tolist() for name, (time, _) in groups.items()}
        {'low risk': [9.0], 'high risk': [2.0, 3.0]}
    """
    if number < 2:
        raise InputError(f"number is {number}; there must be 2 groups or more")
    risk, time, event = checked_rows(risk, time, event)
    training = as_column("training_risk", training_risk).to(risk.device)
    refuse("training_risk", torch.isnan(training), "NaN", "a quantile needs known risks")
    if not len(training):
        raise InputError("training_risk is empty; the groups are cut at quantiles of it")
    shares = torch.arange(1, number, dtype=torch.float64, device=risk.device) / number
    member = torch.searchsorted(torch.quantile(training, shares), risk)
    names = _NAMES.get(number, tuple(f"risk group {place + 1} of {number}" for place in range(number)))
    found = ((name, member == place) for place, name in enumerate(names))
    return {name: (time[is_in], event[is_in]) for name, is_in in found if is_in.any()}
