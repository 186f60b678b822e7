"""How far predicted survival is from what happened: the Brier score and its integral over time.

Shapes: n patients, N training patients, T times.
"""

from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from .kaplan_meier import censoring_curve
from .rows import as_tensor, checked_target, refuse
from .weights import as_times, case_weights

__all__ = ["brier_score", "checked_survival", "integrated_brier_score"]


def checked_survival(survival: Any, rows: int, columns: int) -> Tensor:
    """Return survival probabilities as float64 (rows, columns), or raise InputError that names row positions."""
    found = as_tensor(survival)
    found = (found[:, None] if found.ndim == 1 else found).to(torch.float64)
    if found.shape != (rows, columns):
        raise InputError(f"survival has the shape {tuple(found.shape)}; it must be ({rows}, {columns}), one per time")
    refuse("survival", ~((found >= 0) & (found <= 1)), "NaN or outside 0 ... 1", "it must be a probability")
    return found


def brier_score(survival: Any, time: Any, event: Any, times: Any, training_target: Tensor) -> Tensor:
    """Return the Brier score at each time: the squared error of predicted survival, weighted for censoring.

    BS(t) = 1/n sum of S(t|x_i)^2 1[time_i <= t, event_i] / G(time_i) + (1 - S(t|x_i))^2 1[time_i > t] / G(t). Who was
    censored before t counts through the others. It is undefined (NaN) where a weight is needed that is not known.

    Source: Graf, Schmoor, Sauerbrei & Schumacher 1999, Statistics in Medicine 18, 2529-2545.

    Args:
        survival: (n, T) predicted probability of no event up to each time; (n,) for one time.
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        times: One time, or T in ascending order.
        training_target: (N, 2) time and event of the training patients.

    Returns:
        float64 (T,).

    Raises:
        InputError: If a row or the times cannot be used; rows are named by position.

    Example:
        >>> import torch
        >>> target = torch.tensor([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0], [4.0, 0.0]])
        >>> brier_score(torch.full((4,), 0.5), target[:, 0], target[:, 1], 2.5, target)
        tensor([0.2500], dtype=torch.float64)
    """
    time, event = checked_target(time, event)
    times = as_times(times, time.device)
    survival = checked_survival(survival, len(time), len(times))
    training = training_target.to(time.device)
    is_later = time[:, None] > times
    # Events after t need no weight at t, whether or not theirs is known.
    cases = torch.where(is_later, 0.0, case_weights(time, event, training)[:, None])
    seen = censoring_curve(training).at(times)
    controls = torch.where(is_later, torch.where(seen > 0, seen.reciprocal(), torch.nan), 0.0)
    return (survival.square() * cases + (1 - survival).square() * controls).mean(0)


def integrated_brier_score(survival: Any, time: Any, event: Any, times: Any, training_target: Tensor) -> Tensor:
    """Return the Brier score's mean over time, by the trapezoidal rule between the first and the last of the times.

    Source: Graf, Schmoor, Sauerbrei & Schumacher 1999, Statistics in Medicine 18, 2529-2545.

    Args:
        survival: (n, T) predicted probability of no event up to each time.
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        times: Two or more, in ascending order.
        training_target: (N, 2) time and event of the training patients.

    Returns:
        float64 scalar; NaN if the score is undefined at one of the times.

    Raises:
        InputError: If a row or the times cannot be used; rows are named by position.

    Example:
        >>> import torch
        >>> target = torch.tensor([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0], [4.0, 0.0]])
        >>> integrated_brier_score(torch.full((4, 2), 0.5), target[:, 0], target[:, 1], [1.5, 2.5], target)
        tensor(0.2500, dtype=torch.float64)
    """
    moments = as_times(times)
    if len(moments) < 2:
        raise InputError(f"times hold one time, {moments.item():g}; an integral needs two or more")
    scores = brier_score(survival, time, event, times, training_target)
    return torch.trapezoid(scores, moments.to(scores.device)) / (moments[-1] - moments[0]).to(scores.device)
