"""Multi-task logistic regression, and the likelihood of a distribution over time bins.

Shapes: B batch, T time bins.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .checks import binned

__all__ = ["log_mass", "mass_nll", "mtlr_loss", "mtlr_scores"]


def mtlr_loss(logits: Tensor, time_bin: Tensor, event: Tensor) -> Tensor:
    """Return the negative log-likelihood of multi-task logistic regression.

    The score of an event in bin k is sum_{j >= k} logit_j, that of outliving all bins 0; probabilities are their
    softmax. A censored patient contributes log P(bin > y).

    Source: Yu et al., "Learning patient-specific cancer survival distributions as a sequence of dependent regressors",
    NIPS 2011, equations 4 and 6; without its penalty on differences of neighbouring weights.

    Args:
        logits: (B, T).
        time_bin: (B,) bin of each time, 0 to T - 1.
        event: (B,) 1 where the event happened, 0 where the patient was censored.

    Raises:
        InputError: If shapes do not fit together.

    Example:
        >>> mtlr_loss(torch.zeros(2, 3), torch.tensor([0, 1]), torch.tensor([1, 0])).round(decimals=4)
        tensor(1.0397)
    """
    logits, place, event = binned(logits, time_bin, event)
    return mass_nll(log_mass(mtlr_scores(logits)), place, event).mean()


def mtlr_scores(logits: Tensor) -> Tensor:
    """Return the score (B, T) of an event in each bin."""
    return logits.flip(-1).cumsum(dim=-1).flip(-1)


def log_mass(scores: Tensor) -> Tensor:
    """Return log probabilities (B, T + 1) of an event in each bin and, last, of none; the score of none is 0."""
    return F.pad(scores, (0, 1)).log_softmax(dim=-1)


def mass_nll(log_mass: Tensor, time_bin: Tensor, event: Tensor) -> Tensor:
    """Return -log P(bin = y) for events and -log P(bin > y) for the censored, (B,)."""
    place = time_bin.unsqueeze(-1)
    at = log_mass.gather(-1, place).squeeze(-1)
    later = torch.arange(log_mass.shape[-1], device=log_mass.device) > place
    after = torch.where(later, log_mass, -torch.inf).logsumexp(dim=-1)
    return -torch.where(event > 0, at, after)
