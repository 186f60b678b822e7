"""Concordance weighted for censoring.

Shapes: n patients, N training patients.
"""

from typing import Any

import torch
from torch import Tensor

from .concordance import count_pairs
from .kaplan_meier import censoring_curve
from .rows import checked_rows

__all__ = ["uno_concordance", "uno_terms"]


def uno_terms(risk: Tensor, time: Tensor, event: Tensor, training: Tensor, tau: float | None) -> tuple[Tensor, ...]:
    """Return concordant weight and comparable weight per event, and whether its weight is known."""
    pairs = count_pairs(risk, time, event)
    own = time[pairs.patients]
    seen = censoring_curve(training).at(own)
    is_known = seen > 0
    is_used = is_known if tau is None else is_known & (own < tau)
    weight = torch.where(is_used, seen.square().reciprocal(), 0.0)
    is_missed = ~is_known if tau is None else ~is_known & (own < tau)
    return weight * pairs.credit, weight * pairs.comparable, is_missed


def uno_concordance(risk: Any, time: Any, event: Any, training_target: Tensor, tau: float | None = None) -> Tensor:
    """Return Uno's C: concordance as it would be without censoring, up to the time tau.

    Each comparable pair of Harrell's C counts 1 / G(time_i)^2, with i the earlier of the two; only events before
    `tau` count. Events at which G is 0, or after the last training time, have no weight and are left out, as if tau
    were there; `UnoConcordance` counts them.

    Source: Uno, Cai, Pencina, D'Agostino & Wei 2011, Statistics in Medicine 30, 1105-1117, equation (6).

    Args:
        risk: (n,); higher = earlier event.
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        training_target: (N, 2) time and event of the training patients, in the same unit and precision.
        tau: Time up to which events count; None for as long as weights are known.

    Returns:
        float64 scalar; NaN without a comparable pair of known weight.

    Raises:
        InputError: If a row cannot be used; it is named by position.

    Example:
        >>> import torch
        >>> target = torch.tensor([[2.0, 1.0], [3.0, 0.0], [5.0, 1.0], [7.0, 1.0]])
        >>> uno_concordance(torch.tensor([0.1, 0.4, 0.3, 0.2]), target[:, 0], target[:, 1], target)
        tensor(0.4286, dtype=torch.float64)
    """
    risk, time, event = checked_rows(risk, time, event)
    concordant, comparable, _ = uno_terms(risk, time, event, training_target.to(risk.device), tau)
    return concordant.sum() / comparable.sum()
