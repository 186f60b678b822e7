"""Cox's partial likelihood in log space.

Shapes: B batch, E events.
"""

from typing import Literal

import torch
from torch import Tensor

from ...errors import InputError
from .checks import in_full_precision, one_per_row

__all__ = ["Ties", "cox_loss"]

Ties = Literal["efron", "breslow"]


def cox_loss(
    log_hazard: Tensor, time: Tensor, event: Tensor, ties: Ties = "efron", strata: Tensor | None = None
) -> Tensor:
    """Return the negative log partial likelihood per event.

    With risk set R(t) (everybody whose time is t or later, events and censored), events D(t) at t, d of them, and log
    hazards eta

        breslow: sum_t [sum_{i in D(t)} eta_i - d log sum_{j in R(t)} exp(eta_j)]
        efron:   the l-th of the d logarithms, l = 0 ... d - 1, is of
                 sum_{j in R(t)} exp(eta_j) - (l / d) sum_{j in D(t)} exp(eta_j)

    divided by the number of events. Sums of exponentials are log-sum-exps, so a constant added to all log hazards
    changes nothing, and +-1,000 are as good as +-1. Half types are computed in float32. Without an event (a batch of
    one censored patient, or all censored) the loss is 0, with a gradient of 0.

    Source: Cox 1972, doi:10.1111/j.2517-6161.1972.tb00899.x; ties: Breslow 1974, doi:10.2307/2529620, and Efron 1977,
    doi:10.1080/01621459.1977.10480613.

    Args:
        log_hazard: (B,) or (B, 1).
        time: (B,).
        event: (B,) 1 where the event happened, 0 where the patient was censored.
        ties: "efron" or "breslow".
        strata: (B,) patients are at risk together within their stratum alone; None: all together.

    Raises:
        InputError: If shapes do not fit together or `ties` is unknown.

    Example:
        >>> log_hazard = torch.tensor([1_000.0, 999.0, 998.0])
        >>> cox_loss(log_hazard, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1, 0, 1])).round(decimals=4)
        tensor(0.2038)
    """
    if ties not in ("efron", "breslow"):
        raise InputError(f"ties is '{ties}'; it must be 'efron' or 'breslow'")
    values = in_full_precision(one_per_row("log_hazard", log_hazard))
    times, happened = one_per_row("time", time, values), one_per_row("event", event, values) > 0
    parts = [slice(None)] if strata is None else _rows_of_strata(one_per_row("strata", strata, values))
    total = torch.stack([_negative_log_likelihood(values[rows], times[rows], happened[rows], ties) for rows in parts])
    return total.sum() / happened.sum().clamp(min=1)


def _rows_of_strata(strata: Tensor) -> list[Tensor]:
    return [torch.nonzero(strata == stratum).squeeze(-1) for stratum in torch.unique(strata)]


def _negative_log_likelihood(values: Tensor, times: Tensor, happened: Tensor, ties: Ties) -> Tensor:
    """Return the sum over the events of one stratum; what is chosen by data depends on times and events alone."""
    if not bool(happened.any()):
        return 0 * values.clamp(-1, 1).sum()
    order = torch.argsort(times, descending=True, stable=True)
    values, times, happened = values[order], times[order], happened[order]
    group, size = torch.unique_consecutive(times, return_inverse=True, return_counts=True)[1:]
    # (E,): the sum over a risk set ends with the last patient of the same time
    at_risk = values.logcumsumexp(dim=0)[(size.cumsum(0) - 1)[group[happened]]]
    dead, group = values[happened], group[happened]
    if ties == "breslow":
        return (at_risk - dead).sum()
    return (at_risk + _efron_correction(dead, group, at_risk) - dead).sum()


def _efron_correction(dead: Tensor, group: Tensor, at_risk: Tensor) -> Tensor:
    """Return log(1 - l / d * share), (E,), where share is that of the tied events in the sum over the risk set."""
    group, deaths = torch.unique_consecutive(group, return_inverse=True, return_counts=True)[1:]
    rank = torch.arange(len(group), device=group.device) - (deaths.cumsum(0) - deaths)[group]
    # exp(value - log sum over the risk set) is at most 1, so this sum needs no further care
    shares = torch.exp(dead - at_risk)
    share = torch.zeros(len(deaths), dtype=shares.dtype, device=shares.device).index_add(0, group, shares)
    return torch.log1p(-rank.to(share.dtype) / deaths[group] * share[group])
