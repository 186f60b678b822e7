"""A pairwise bound on the concordance index.

Shapes: B batch.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import InputError
from .checks import in_full_precision, one_per_row

__all__ = ["comparable_pairs", "mean_over_pairs", "ranking_loss"]


def ranking_loss(risk: Tensor, time: Tensor, event: Tensor, sigma: float = 1.0) -> Tensor:
    """Return the mean of softplus(-(risk_i - risk_j) / sigma) over the pairs whose order is known.

    A pair is comparable where i has the event and j outlives i: its time is later, or the same and censored, as the
    concordance index counts pairs. The loss is a smooth upper bound of the share of discordant pairs times log 2, and
    sees differences of risk alone. Without such a pair it is 0, with a gradient of 0.

    Source: Raykar et al., "On ranking in survival analysis: bounds on the concordance index", NIPS 2007, equation 6
    (the log-sigmoid bound).

    Args:
        risk: (B,) or (B, 1), higher for an earlier event.
        time: (B,).
        event: (B,) 1 where the event happened, 0 where the patient was censored.
        sigma: Difference of risk that counts as 1.

    Raises:
        InputError: If shapes do not fit together or sigma is not positive.

    Example:
        >>> ranking_loss(torch.tensor([2.0, 0.0]), torch.tensor([1.0, 5.0]), torch.tensor([1, 0])).round(decimals=4)
        tensor(0.1269)
    """
    if not sigma > 0:
        raise InputError(f"sigma is {sigma}; it must be positive")
    risk = in_full_precision(one_per_row("risk", risk))
    pairs = comparable_pairs(one_per_row("time", time, risk), one_per_row("event", event, risk))
    return mean_over_pairs(F.softplus((risk - risk.unsqueeze(-1)) / sigma), pairs)


def comparable_pairs(time: Tensor, event: Tensor) -> Tensor:
    """Return as bool (B, B) whether patient i (rows) is known to have the event before patient j (columns)."""
    happened = event > 0
    earlier = time.unsqueeze(-1) < time
    tied = (time.unsqueeze(-1) == time) & ~happened
    return happened.unsqueeze(-1) & (earlier | tied)


def mean_over_pairs(losses: Tensor, pairs: Tensor) -> Tensor:
    """Return the mean of losses (B, B) over the pairs; 0 without any."""
    return torch.where(pairs, losses, 0.0).sum() / pairs.sum().clamp(min=1)
