"""From network outputs to survival curves.

Shapes: B batch, T time bins.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from ...errors import InputError
from .checks import in_full_precision
from .mtlr import log_mass, mtlr_scores

__all__ = ["survival_curve"]


def survival_curve(logits: Tensor, form: Literal["discrete", "deephit", "mtlr"] = "discrete") -> Tensor:
    """Return the probability (B, T) of being without the event at the end of each bin.

    Args:
        logits: (B, T).
        form: What the logits mean: hazards ("discrete"), or scores of bins as in `deephit_loss` or `mtlr_loss`.

    Raises:
        InputError: If the form is unknown.

    Example:
        >>> import torch
        >>> survival_curve(torch.zeros(1, 3)), survival_curve(torch.zeros(1, 3), "mtlr")
        (tensor([[0.5000, 0.2500, 0.1250]]), tensor([[0.7500, 0.5000, 0.2500]]))
    """
    logits = in_full_precision(logits)
    if form == "discrete":
        return F.logsigmoid(-logits).cumsum(dim=-1).exp()
    if form not in ("deephit", "mtlr"):
        raise InputError(f"form is '{form}'; it must be 'discrete', 'deephit' or 'mtlr'")
    mass = log_mass(logits if form == "deephit" else mtlr_scores(logits)).exp()
    # summed from the end: 1 minus what came before would lose small probabilities
    return mass.flip(-1).cumsum(dim=-1).flip(-1)[..., 1:].clamp(max=1.0)
