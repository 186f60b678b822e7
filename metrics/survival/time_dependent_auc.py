"""Who will have the event by a time: the area under the ROC curve at each time.

Shapes: n patients, N training patients, T times.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .kaplan_meier import kaplan_meier
from .rows import as_column, as_tensor, checked_target, refuse
from .weights import as_times, case_weights

__all__ = ["TimeDependentAreas", "time_dependent_auc"]


class TimeDependentAreas(NamedTuple):
    """Answer of `time_dependent_auc`.

    Attributes:
        per_time: float64 (T,), area under the ROC curve at each time; NaN where it is undefined.
        mean: float64 scalar, their mean over the defined times, weighted by how much survival falls up to each.

    Example:
        >>> import torch
        >>> target = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 0.0]])
        >>> time_dependent_auc(torch.tensor([3.0, 1.0, 2.0, 0.0]), target[:, 0], target[:, 1], [1.5, 2.5], target).mean
        tensor(0.8750, dtype=torch.float64)
    """

    per_time: Tensor
    mean: Tensor


def time_dependent_auc(risk: Any, time: Any, event: Any, times: Any, training_target: Tensor) -> TimeDependentAreas:
    """Return the cumulative/dynamic area under the ROC curve at each time.

    At time t, cases had the event up to t and controls are seen after t. The area is the share of (case, control)
    pairs in which the case has the higher risk, ties by half, each case weighted by 1 / G(its time). It is undefined
    at a time without cases or without controls, or with a case of unknown weight. The mean over times weights each
    by the fall of the Kaplan-Meier curve of these patients since the time before.

    Source: Uno, Cai, Tian & Wei 2007, JASA 102, 527-537; Hung & Chiang 2010, Canadian Journal of Statistics 38, 8-26;
    mean: Lambert & Chevret 2016, Statistical Methods in Medical Research 25, 2088-2102.

    Args:
        risk: (n,), or (n, T) where it changes with time; higher = earlier event.
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        times: One time, or T in ascending order.
        training_target: (N, 2) time and event of the training patients.

    Raises:
        InputError: If a row or the times cannot be used; rows are named by position.

    Example:
        >>> import torch
        >>> target = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 0.0]])
        >>> time_dependent_auc(torch.tensor([3.0, 1.0, 2.0, 0.0]), target[:, 0], target[:, 1], [1.5, 2.5], target)[0]
        tensor([1.0000, 0.7500], dtype=torch.float64)
    """
    time, event = checked_target(time, event)
    times = as_times(times, time.device)
    risks = as_tensor(risk).double()
    if risks.ndim != 2 or risks.shape != (len(time), len(times)):
        risks = as_column("risk", risks, len(time))[:, None].expand(-1, len(times))
    refuse("risk", torch.isnan(risks), "NaN", "a patient without a risk cannot be ranked")
    weights = case_weights(time, event, training_target.to(time.device))
    areas = [_area(risks[:, place], time, weights, moment) for place, moment in enumerate(times)]
    per_time = torch.stack(areas)
    survival = kaplan_meier(time, event).at(times)
    falls = -torch.diff(survival, prepend=survival.new_ones(1))
    is_defined = ~torch.isnan(per_time)
    mean = (falls * per_time)[is_defined].sum() / falls[is_defined].sum()
    return TimeDependentAreas(per_time, mean)


def _area(risk: Tensor, time: Tensor, weights: Tensor, moment: Tensor) -> Tensor:
    is_control = time > moment
    case_weights = torch.where(is_control, 0.0, weights)
    _, level = torch.unique(risk, return_inverse=True)
    size = int(level.max()) + 1 if len(level) else 0
    cases, controls = (torch.zeros(size, dtype=torch.float64, device=risk.device) for _ in range(2))
    cases.index_add_(0, level, case_weights)
    controls.index_add_(0, level, is_control.double())
    lower = controls.cumsum(0) - controls
    return (cases * (lower + 0.5 * controls)).sum() / (cases.sum() * controls.sum())
