"""The product-limit estimate of a survival curve, and of the censoring that hides the rest of it.

Shapes: n patients, U different times.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from .rows import checked_target, split_target

__all__ = ["SurvivalCurve", "censoring_curve", "kaplan_meier", "normal_quantile"]


@dataclass(frozen=True)
class SurvivalCurve:
    """A step function: `survival[u]` holds from `time[u]` until the next time; before the first it is 1.

    Attributes:
        time: float64 (U,), the different times, ascending.
        at_risk: int64 (U,), patients neither dead nor censored before that time.
        events: int64 (U,), events at that time.
        censored: int64 (U,), censored at that time; they count as at risk at it.
        survival: float64 (U,), probability of no event up to and including that time.
        standard_error: float64 (U,), Greenwood's; NaN where survival is 0.
        low: float64 (U,), lower end of the pointwise interval; NaN where survival is 0.
        high: float64 (U,), upper end.

    Example:
        >>> import torch
        >>> curve = kaplan_meier(torch.tensor([1.0, 2.0, 2.0, 4.0]), torch.tensor([1, 1, 0, 0]))
        >>> curve.survival, curve.at_risk
        (tensor([0.7500, 0.5000, 0.5000], dtype=torch.float64), tensor([4, 3, 1]))
        >>> curve.at(torch.tensor([0.5, 3.0, 9.0])), curve.median
        (tensor([1.0000, 0.5000,    nan], dtype=torch.float64), 2.0)
    """

    time: Tensor
    at_risk: Tensor
    events: Tensor
    censored: Tensor
    survival: Tensor
    standard_error: Tensor
    low: Tensor
    high: Tensor

    def at(self, times: Any) -> Tensor:
        """Return survival at times, float64; NaN after the last time unless the curve has reached 0 by then."""
        times = torch.as_tensor(times).to(self.time)
        if not len(self.time):
            return torch.full_like(times, torch.nan)
        steps = torch.cat([torch.ones_like(self.survival[:1]), self.survival])
        values = steps[torch.searchsorted(self.time, times.contiguous(), right=True)]
        is_unknown = (times > self.time[-1]) & (self.survival[-1] > 0)
        return torch.where(is_unknown, torch.nan, values)

    @property
    def median(self) -> float:
        """The first time at which survival is a half or less; infinite where it never is."""
        # exactly a half must not be missed by a rounding error of the product
        reached = (self.survival <= 0.5 + 1e-12).nonzero()
        return float(self.time[reached[0, 0]]) if len(reached) else float("inf")


def _counts_per_time(time: Tensor, event: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    different, place = torch.unique(time, return_inverse=True)
    events = torch.bincount(place, event.double(), len(different)).long()
    total = torch.bincount(place, minlength=len(different))
    at_risk = total.flip(0).cumsum(0).flip(0)
    return different, at_risk, events, total - events


def normal_quantile(confidence: float) -> float:
    """Return the quantile of the normal distribution that a two-sided interval needs, or raise InputError."""
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}; it must be between 0 and 1, such as 0.95")
    return float(torch.special.ndtri(torch.tensor(0.5 + confidence / 2, dtype=torch.float64)))


def kaplan_meier(time: Any, event: Any, confidence: float = 0.95) -> SurvivalCurve:
    """Return the Kaplan-Meier curve with pointwise confidence intervals.

    S(t) = product over times u <= t of (1 - d_u / n_u) with d_u events among n_u at risk. Standard errors are
    Greenwood's, S(t) sqrt(sum d_u / (n_u (n_u - d_u))); intervals are symmetric for log(-log S), which keeps them
    inside 0 ... 1.

    Source: Kaplan & Meier 1958, JASA 53, 457-481; Kalbfleisch & Prentice 2002, section 1.4 (log-log interval).

    Args:
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        confidence: Of the intervals.

    Raises:
        InputError: If a time is negative or not finite, an event neither 0 nor 1, or `confidence` not in 0 ... 1.

    Example:
        >>> import torch
        >>> kaplan_meier(torch.tensor([3.0, 5.0, 5.0, 8.0]), torch.tensor([1, 1, 0, 1])).survival
        tensor([0.7500, 0.5000, 0.0000], dtype=torch.float64)
    """
    quantile = normal_quantile(confidence)
    different, at_risk, events, censored = _counts_per_time(*checked_target(time, event))
    survivors = (at_risk - events).double()
    survival = torch.cumprod(survivors / at_risk, 0)
    spread = torch.cumsum(events / (at_risk * survivors), 0).sqrt()
    is_certain, is_over = survival == 1, survival == 0
    width = quantile * spread / survival.log()
    low, high = (torch.exp(survival.log() * torch.exp(sign * width)) for sign in (-1, 1))
    low, high = (torch.where(is_certain, 1.0, bound).masked_fill(is_over, torch.nan) for bound in (low, high))
    error = (survival * spread).masked_fill(is_over, torch.nan)
    return SurvivalCurve(different, at_risk, events, censored, survival, error, low, high)


def censoring_curve(target: Tensor) -> SurvivalCurve:
    """Return the Kaplan-Meier curve of being uncensored, G(t) = P(censoring after t), of a target (n, 2).

    Where an event and a censoring share a time, the event came first: who had it was no longer at risk of censoring.
    Intervals are not needed of it, and are NaN.
    """
    time, event = checked_target(*split_target(target))
    different, at_risk, events, censored = _counts_per_time(time, event)
    exposed = at_risk - events
    survival = torch.cumprod(1 - torch.where(censored > 0, censored.double() / exposed, 0.0), 0)
    nothing = torch.full_like(survival, torch.nan)
    return SurvivalCurve(different, exposed, censored, events, survival, nothing, nothing, nothing)
