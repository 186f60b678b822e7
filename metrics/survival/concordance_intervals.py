"""How sure is a concordance, and is one risk better than another for the same patients.

Shapes: n patients. Both answers are exact functions of two numbers per patient: of the comparable pairs that hold the
patient, how many there are and how many are concordant. They cost as much as three or four concordance indices.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .concordance import count_pairs, ranked
from .dominance import counts_below
from .kaplan_meier import normal_quantile
from .rows import as_column, as_tensor, checked_rows, refuse

__all__ = ["ConcordanceDifference", "ConcordanceInterval", "concordance_difference", "concordance_interval"]


class ConcordanceInterval(NamedTuple):
    """Answer of `concordance_interval`; all NaN where it is undefined.

    Attributes:
        value: Harrell's C.
        standard_error: Over patients.
        interval: Its two ends.
        comparable_pairs: What C is a share of.

    Example:
        >>> import torch
        >>> risk, time = torch.tensor([5.0, 3.0, 4.0, 1.0, 2.0]), torch.arange(1.0, 6.0)
        >>> answer = concordance_interval(risk, time, torch.ones(5))
        >>> answer.comparable_pairs, answer.value, [round(end, 3) for end in answer.interval]
        (10, 0.8, [0.439, 0.953])
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    comparable_pairs: int


class ConcordanceDifference(NamedTuple):
    """Answer of `concordance_difference`; all NaN where it is undefined.

    Attributes:
        difference: Concordance of the first risk less that of the second.
        standard_error: Over patients, paired.
        interval: Its two ends.
        p_value: Two-sided, of no difference; NaN where the standard error is 0.
        comparable_pairs: What both are shares of.

    Example:
        >>> import torch
        >>> time, event = torch.arange(1.0, 7.0), torch.ones(6)
        >>> answer = concordance_difference(-time, torch.tensor([3.0, 5.0, 1.0, 6.0, 2.0, 4.0]), time, event)
        >>> round(answer.difference, 3), answer.comparable_pairs
        (0.533, 15)
    """

    difference: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float
    comparable_pairs: int


def concordance_interval(
    risk: Any, time: Any, event: Any, *, strata: Any = None, confidence: float = 0.95
) -> ConcordanceInterval:
    """Return Harrell's C with a jackknife standard error over patients and an interval.

    The concordance without patient k is (N - N_k) / (D - D_k), with N concordant of D comparable pairs and N_k of D_k
    of them holding k: no refit, no resampling. The variance is (n - 1)/n times the sum of squares of these n values
    about their mean (delete-one jackknife). The interval is symmetric for logit C.

    Source: Efron & Stein 1981, Annals of Statistics 9, 586-596 (the jackknife is on average not too small).

    Args:
        risk: (n,); higher = earlier event.
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        strata: (n,) numbers, for instance folds: only pairs within one count. Risks of different models, or of one
            fitted on different folds, are not comparable.
        confidence: Of the interval.

    Raises:
        InputError: If a row cannot be used; it is named by position.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> risk, noise = torch.randn(2, 200, generator=generator)
        >>> answer = concordance_interval(risk, torch.exp(noise - risk), torch.ones(200))
        >>> round(answer.value, 3), round(answer.standard_error, 3)
        (0.729, 0.018)
    """
    quantile = normal_quantile(confidence)
    concordant, comparable = _pairs_of_patients((risk,), time, event, strata)
    value, error = _jackknife(concordant[0], comparable)
    # 0 / 0 at a concordance of exactly 0 or 1: no interval
    width = quantile * error / (value * (1 - value))
    ends = tuple(float(torch.special.expit(torch.logit(value) + sign * width)) for sign in (-1, 1))
    return ConcordanceInterval(float(value), float(error), (ends[0], ends[1]), int(comparable.sum()) // 2)


def concordance_difference(
    risk_a: Any, risk_b: Any, time: Any, event: Any, *, strata: Any = None, confidence: float = 0.95
) -> ConcordanceDifference:
    """Return the difference of Harrell's C between two risks of the same patients, with a paired interval.

    The standard error is the delete-one jackknife of the difference itself, so that what the two risks share cancels;
    interval and p-value are normal. Both speak of other patients of the same kind with both risks as they are: of the
    chance in fitting them they know nothing.

    Source: delete-one jackknife as in `concordance_interval`; for paired U-statistics see Kang, Chen, Petrick &
    Gallas 2015, Statistics in Medicine 34, 685-703.

    Args:
        risk_a: (n,); higher = earlier event. Or (R, n): R risks, of whose concordances the mean is taken.
        risk_b: (n,) or (R, n).
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.
        strata: (n,) numbers, for instance folds: only pairs within one count.
        confidence: Of the interval.

    Raises:
        InputError: If a row cannot be used; it is named by position.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> risk, noise, other = torch.randn(3, 200, generator=generator)
        >>> answer = concordance_difference(risk, risk + other, torch.exp(noise - risk), torch.ones(200))
        >>> round(answer.difference, 3), answer.p_value < 0.05
        (0.101, True)
    """
    quantile = normal_quantile(confidence)
    first, second = _several(risk_a), _several(risk_b)
    concordant, comparable = _pairs_of_patients((*first, *second), time, event, strata)
    means = [torch.stack(part).mean(0) for part in (concordant[: len(first)], concordant[len(first) :])]
    difference, error = _jackknife(means[0] - means[1], comparable)
    score = difference.abs() / error if error > 0 else error * torch.nan
    p_value = float(2 * torch.special.ndtr(-score))
    ends = (float(difference - quantile * error), float(difference + quantile * error))
    return ConcordanceDifference(float(difference), float(error), ends, p_value, int(comparable.sum()) // 2)


def _several(risk: Any) -> tuple[Tensor, ...]:
    """Return the risks of (n,), (n, 1) or (R, n)."""
    risks = as_tensor(risk)
    return tuple(risks) if risks.ndim == 2 and risks.shape[1] > 1 else (risks,)


def _jackknife(concordant: Tensor, comparable: Tensor) -> tuple[Tensor, Tensor]:
    """Return the ratio of two sums over pairs, each given per patient (n,), and its standard error."""
    # every pair has two patients
    above, below = concordant.sum() / 2, comparable.sum() / 2
    without = (above - concordant) / (below - comparable)
    patients = len(without)
    variance = (patients - 1) / max(patients, 1) * (without - without.mean()).square().sum()
    return above / below, variance.sqrt()


def _pairs_of_patients(risks: tuple[Any, ...], time: Any, event: Any, strata: Any) -> tuple[list[Tensor], Tensor]:
    """Return for each risk the concordant pairs, and the comparable pairs, that hold each patient; float64 (n,)."""
    rows = [checked_rows(risk, time, event) for risk in risks]
    _, times, events = rows[0]
    comparable = torch.zeros_like(times)
    concordant = [torch.zeros_like(times) for _ in risks]
    for members in _members(strata, times):
        for place, (risk, _, _) in enumerate(rows):
            credit, pairs = _pairs_within(risk[members], times[members], events[members])
            concordant[place][members] = credit
            comparable[members] = pairs
    return concordant, comparable


def _members(strata: Any, like: Tensor) -> Iterator[Tensor]:
    if strata is None:
        yield torch.arange(len(like), device=like.device)
        return
    column = as_column("strata", strata, len(like)).to(like.device)
    refuse("strata", torch.isnan(column), "NaN", "it must be a number that names the stratum")
    for stratum in torch.unique(column):
        yield (column == stratum).nonzero()[:, 0]


def _pairs_within(risk: Tensor, time: Tensor, event: Tensor) -> tuple[Tensor, Tensor]:
    """Return concordant and comparable pairs of each patient, as the earlier and as the later of a pair."""
    credit, pairs = torch.zeros_like(time), torch.zeros_like(time)
    earlier = count_pairs(risk, time, event)
    credit[earlier.patients] = earlier.credit
    pairs[earlier.patients] = earlier.comparable.double()
    first = event.nonzero()[:, 0][torch.argsort(time[event], stable=True)]
    moments = time[first]
    # an event comes before a censoring at the same time, and not before another event
    before = torch.where(event, torch.searchsorted(moments, time), torch.searchsorted(moments, time, right=True))
    ranks, _, _ = ranked(risk[first])
    ordered = risk[first].sort().values
    bounds = torch.cat([torch.searchsorted(ordered, risk), torch.searchsorted(ordered, risk, right=True)])
    below, at_most = counts_below(ranks, before.repeat(2), bounds).chunk(2)
    credit += (before - at_most).double() + 0.5 * (at_most - below).double()
    return credit, pairs + before.double()
