"""Are predicted survival probabilities right as probabilities: distribution calibration.

Shapes: n patients, b bins.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...errors import InputError
from .log_rank import chi_squared_tail
from .rows import as_column, refuse

__all__ = ["DCalibrationResult", "d_calibration"]


class DCalibrationResult(NamedTuple):
    """Answer of `d_calibration`.

    Attributes:
        statistic: Chi-squared statistic; NaN without patients.
        p_value: Its upper tail with b - 1 degrees of freedom: small where predictions are not calibrated.
        patients: float64 (b,), how many patients have a survival probability in each bin, from 0 up; n / b expected.

    Example:
        >>> import torch
        >>> d_calibration(torch.tensor([0.9, 0.2, 0.4, 0.6]), torch.ones(4), bins=2).patients
        tensor([2., 2.], dtype=torch.float64)
    """

    statistic: Tensor
    p_value: Tensor
    patients: Tensor


def d_calibration(survival_at_own_time: Any, event: Any, bins: int = 10) -> DCalibrationResult:
    """Return the test whether predicted survival at the observed times is uniform between 0 and 1.

    A patient with the event counts in the bin of S(time|x). One censored at survival s is somewhere below: the bin
    that holds s receives (s - its lower end) / s, each bin below it (1 / b) / s.

    Source: Haider, Hoehn, Davis & Greiner 2020, JMLR 21(85), section 3.5 and appendix B.

    Args:
        survival_at_own_time: (n,) predicted probability of no event up to the patient's own time.
        event: (n,), 1 = happened, 0 = censored.
        bins: Number of bins of equal width, 2 or more.

    Raises:
        InputError: If a probability is NaN or outside 0 ... 1, an event neither 0 nor 1, or `bins` below 2.

    Example:
        >>> import torch
        >>> even = torch.arange(0.05, 1.0, 0.1)
        >>> result = d_calibration(even, torch.ones(10))
        >>> float(result.statistic), float(result.p_value)
        (0.0, 1.0)
    """
    if bins < 2:
        raise InputError(f"bins is {bins}; it must be 2 or more")
    survival = as_column("survival_at_own_time", survival_at_own_time)
    is_bad = ~((survival >= 0) & (survival <= 1))
    refuse("survival_at_own_time", is_bad, "NaN or outside 0 ... 1", "it must be a probability")
    event = as_column("event", event, len(survival))
    refuse("event", (event != 0) & (event != 1), "neither 0 nor 1", "1 says that it happened, 0 that it was censored")
    lower = torch.arange(bins, dtype=torch.float64, device=survival.device) / bins
    own = (torch.searchsorted(lower, survival, right=True) - 1).clamp(0, bins - 1)
    # What of 0 ... s lies in each bin; all of a survival of exactly 0 lies in the first.
    inside = (survival[:, None] - lower).clamp(0, 1 / bins) / survival.clamp(min=1e-300)[:, None]
    inside[:, 0] = torch.where(survival == 0, 1.0, inside[:, 0])
    whole = (own[:, None] == torch.arange(bins, device=own.device)).double()
    patients = torch.where(event[:, None].bool(), whole, inside).sum(0)
    expected = len(survival) / bins
    statistic = (patients - expected).square().sum() / expected if len(survival) else patients.sum() * torch.nan
    return DCalibrationResult(statistic, chi_squared_tail(statistic, bins - 1), patients)
