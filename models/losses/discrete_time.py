"""Negative log-likelihood of discrete-time hazards.

Shapes: B batch, T time bins.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from ...errors import InputError
from .checks import binned

__all__ = ["Reduction", "discrete_time_nll", "reduced"]

Reduction = Literal["mean", "sum", "none"]


def discrete_time_nll(
    logits: Tensor, time_bin: Tensor, event: Tensor, alpha: float = 0.5, reduction: Reduction = "mean"
) -> Tensor:
    """Return the negative log-likelihood of hazards, with the weight that whole-slide networks give to events.

    With hazards h_j = sigmoid(logit_j), survival S_j = prod_{i <= j} (1 - h_i), S_-1 = 1, bin y and event e

        L_event = -e (log S_{y-1} + log h_y),  L_censored = -(1 - e) log S_y
        L = (1 - alpha) (L_censored + L_event) + alpha L_event

    so a censored patient counts 1 - alpha; alpha = 0 is the likelihood itself. Everything is a sum of log-sigmoids: it
    is exact for logits of +-1,000, where the published code clamps probabilities at 1e-7.

    Source: Zadeh and Schmid, "Bias in cross-entropy-based training of deep survival networks", 2021,
    doi:10.1109/TPAMI.2020.2979450, equations 4-7; alpha as in the code of Chen et al., "Multimodal co-attention
    transformer for survival prediction in gigapixel whole slide images", ICCV 2021.

    Args:
        logits: (B, T).
        time_bin: (B,) bin of each time, 0 to T - 1.
        event: (B,) 1 where the event happened, 0 where the patient was censored.
        alpha: Additional weight of events, 0 to 1.
        reduction: "mean", "sum" or "none" over patients.

    Raises:
        InputError: If shapes do not fit together, or alpha or reduction are not allowed.

    Example:
        >>> import torch
        >>> discrete_time_nll(torch.zeros(2, 4), torch.tensor([0, 1]), torch.tensor([1, 0]), reduction="none")
        tensor([0.6931, 0.6931])
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}; it must be from 0 to 1")
    logits, place, event = binned(logits, time_bin, event)
    place = place.unsqueeze(-1)
    log_survival = F.logsigmoid(-logits).cumsum(dim=-1)
    here = log_survival.gather(-1, place).squeeze(-1)
    # log S_{y-1} by padding, not by subtraction, which would cancel
    before = F.pad(log_survival, (1, 0)).gather(-1, place).squeeze(-1)
    hazard = F.logsigmoid(logits).gather(-1, place).squeeze(-1)
    return reduced(-event * (before + hazard) - (1 - alpha) * (1 - event) * here, reduction)


def reduced(losses: Tensor, reduction: Reduction) -> Tensor:
    """Return the mean or sum of losses (B,), or themselves.

    Raises:
        InputError: If the reduction is unknown.
    """
    if reduction not in ("mean", "sum", "none"):
        raise InputError(f"reduction is '{reduction}'; it must be 'mean', 'sum' or 'none'")
    return losses if reduction == "none" else getattr(losses, reduction)()
