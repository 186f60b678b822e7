"""Do groups differ in survival: the log-rank test.

Shapes: n patients, U different times, R groups.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .rows import as_column, checked_target, refuse

__all__ = ["LogRankResult", "chi_squared_tail", "log_rank_test"]


class LogRankResult(NamedTuple):
    """Answer of `log_rank_test`.

    Attributes:
        statistic: Chi-squared statistic; NaN where nothing can be compared.
        p_value: Its upper tail; NaN likewise.
        degrees_of_freedom: Groups that ever had somebody at risk at an event, less one.
        groups: The groups, ascending, float64 (R,).
        observed: Events per group, float64 (R,).
        expected: Events per group if all had the same hazard, float64 (R,).

    Example:
        >>> import torch
        >>> result = log_rank_test(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(4), torch.tensor([0, 0, 1, 1]))
        >>> result.observed.tolist(), round(float(result.p_value), 4)
        ([2.0, 2.0], 0.0896)
    """

    statistic: Tensor
    p_value: Tensor
    degrees_of_freedom: int
    groups: Tensor
    observed: Tensor
    expected: Tensor


def chi_squared_tail(statistic: Tensor, degrees_of_freedom: int) -> Tensor:
    """Return the probability that a chi-squared variable exceeds the statistic."""
    half = torch.full_like(statistic, degrees_of_freedom / 2)
    return torch.special.gammaincc(half, statistic / 2)


def log_rank_test(time: Any, event: Any, group: Any) -> LogRankResult:
    """Return the log-rank test of equal hazards in two or more groups.

    With d events among n at risk at a time, n_r of them in group r: expected E_r = sum of d n_r / n; covariance
    V_rs = sum of d (n - d) / (n - 1) * n_r / n (1[r = s] - n_s / n); statistic (O - E)' V^- (O - E), chi-squared with
    one degree of freedom less than there are groups. A group with nobody at risk at any event says nothing and is not
    counted. Without two groups that are, the answer is NaN with 0 degrees of freedom.

    Source: Mantel 1966, Cancer Chemotherapy Reports 50, 163-170; Peto & Peto 1972, JRSS A 135, 185-207.

    Args:
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        group: (n,) numbers that name the groups.

    Raises:
        InputError: If a row cannot be used; it is named by position.

    Example:
        >>> import torch
        >>> time, group = torch.tensor([2.0, 3.0, 4.0, 9.0, 9.0, 12.0]), torch.tensor([1, 1, 1, 0, 0, 0])
        >>> round(float(log_rank_test(time, torch.ones(6), group).p_value), 4)
        0.0246
    """
    time, event = checked_target(time, event)
    group = as_column("group", group, len(time))
    refuse("group", torch.isnan(group), "NaN", "it must be a number that names the group")
    groups, member = torch.unique(group, return_inverse=True)
    different, place = torch.unique(time, return_inverse=True)
    is_member = (member[:, None] == torch.arange(len(groups), device=member.device)).double()
    counts = is_member.new_zeros(len(different), len(groups))
    at_risk = counts.index_add(0, place, is_member).flip(0).cumsum(0).flip(0)
    events = counts.index_add(0, place, is_member * event[:, None])
    every, died = at_risk.sum(1), events.sum(1)
    share = at_risk / every[:, None]
    expected = (died[:, None] * share).sum(0)
    # with one patient left there is nothing to compare, and 0 / 0
    factor = died * (every - died) / (every - 1).clamp(min=1)
    covariance = torch.diag((factor[:, None] * share).sum(0)) - (factor[:, None] * share).T @ share
    observed = events.sum(0)
    statistic, freedom = _statistic(observed - expected, covariance, expected > 0)
    return LogRankResult(statistic, chi_squared_tail(statistic, freedom), freedom, groups, observed, expected)


def _statistic(surplus: Tensor, covariance: Tensor, is_compared: Tensor) -> tuple[Tensor, int]:
    freedom = max(int(is_compared.sum()) - 1, 0)
    kept = is_compared.nonzero()[:-1, 0]
    part = covariance[kept][:, kept]
    if not freedom or torch.linalg.matrix_rank(part, hermitian=True) != freedom:
        return torch.full_like(surplus.sum(), torch.nan), freedom
    return surplus[kept] @ torch.linalg.solve(part, surplus[kept]), freedom
