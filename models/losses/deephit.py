"""DeepHit for one kind of event.

Shapes: B batch, T time bins.
"""

import torch
from torch import Tensor

from ...errors import InputError
from .checks import binned
from .mtlr import log_mass, mass_nll
from .ranking import comparable_pairs, mean_over_pairs

__all__ = ["deephit_loss"]


def deephit_loss(logits: Tensor, time_bin: Tensor, event: Tensor, alpha: float = 0.5, sigma: float = 0.1) -> Tensor:
    """Return alpha times the negative log-likelihood plus (1 - alpha) times DeepHit's ranking term.

    Probabilities of an event in each bin, and of none, are the softmax of the logits and 0. With F_i(t) the probability
    that patient i has the event by bin t, the second term is the mean of exp(-(F_i(y_i) - F_j(y_i)) / sigma) over the
    comparable pairs: i has the event, j a later bin, or the same and is censored. (Published is a sum; the mean does
    not depend on the size of the batch.) Without such a pair it is 0.

    Source: Lee et al., "DeepHit: a deep learning approach to survival analysis with competing risks", AAAI 2018,
    doi:10.1609/aaai.v32i1.11842, section "Loss function", for one risk.

    Args:
        logits: (B, T).
        time_bin: (B,) bin of each time, 0 to T - 1.
        event: (B,) 1 where the event happened, 0 where the patient was censored.
        alpha: Weight of the likelihood, 0 to 1.
        sigma: Difference of probability that counts as 1.

    Raises:
        InputError: If shapes do not fit together, alpha is out of range or sigma is not positive.

    Example:
        >>> deephit_loss(torch.zeros(2, 3), torch.tensor([0, 1]), torch.tensor([1, 0])).round(decimals=4)
        tensor(1.0199)
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}; it must be from 0 to 1")
    if not sigma > 0:
        raise InputError(f"sigma is {sigma}; it must be positive")
    logits, place, event = binned(logits, time_bin, event)
    mass = log_mass(logits)
    likelihood = mass_nll(mass, place, event).mean()
    # row i, column j: the probability that patient j has the event by the bin of patient i
    by_then = mass.exp().cumsum(dim=-1)[:, place].transpose(0, 1)
    lead = torch.diagonal(by_then).unsqueeze(-1) - by_then
    ranked = mean_over_pairs(torch.exp(-lead / sigma), comparable_pairs(place, event))
    return alpha * likelihood + (1 - alpha) * ranked
