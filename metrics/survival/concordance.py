"""Concordance of risks with survival times: how often the patient with the higher risk has the event first.

Shapes: n patients. A pair is comparable when it is known who came first: the earlier of the two had the event, and
the other was seen later, or censored at the very same time. Two events at one time say nothing about order.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .dominance import counts_below
from .rows import checked_rows

__all__ = ["ConcordanceCounts", "concordance_index", "count_pairs"]


class ConcordanceCounts(NamedTuple):
    """What the later patients do to each patient who had the event.

    Attributes:
        patients: int64 (m,), positions of those who had the event.
        comparable: int64 (m,), patients known to be later.
        lower: int64 (m,), those of them with a lower risk: concordant pairs.
        equal: int64 (m,), those of them with an equal risk: half a pair each.
    """

    patients: Tensor
    comparable: Tensor
    lower: Tensor
    equal: Tensor

    @property
    def credit(self) -> Tensor:
        """Concordant pairs, ties counted by half; float64 (m,)."""
        return self.lower.double() + 0.5 * self.equal.double()


def latest_first(time: Tensor, event: Tensor) -> tuple[Tensor, Tensor]:
    """Return the order of rows by time, latest first, and for each place in it how many are known to be later.

    At one time the censored stand before the events: they outlived them. The second answer holds for events; for a
    censored row it is how many have a later time.
    """
    censored_first = torch.cat([(~event).nonzero()[:, 0], event.nonzero()[:, 0]])
    by_time = torch.argsort(time[censored_first], descending=True, stable=True)
    order = censored_first[by_time]
    time, event = time[order], event[order]
    places = torch.arange(len(order), device=order.device)
    is_new = torch.ones_like(event)
    is_new[1:] = (time[1:] != time[:-1]) | (event[1:] != event[:-1])
    return order, torch.cummax(torch.where(is_new, places, 0), 0).values


def ranked(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ranks, a permutation of 0 ... n - 1, and for each value how many are lower and how many at most equal."""
    ordered, order = torch.sort(values, stable=True)
    places = torch.arange(len(values), device=values.device)
    is_new = torch.ones_like(ordered, dtype=torch.bool)
    is_new[1:] = ordered[1:] != ordered[:-1]
    group = torch.cumsum(is_new, 0) - 1
    firsts = torch.cat([is_new.nonzero()[:, 0], places.new_full((1,), len(values))])

    def unsorted(found: Tensor) -> Tensor:
        return torch.empty_like(found).scatter_(0, order, found)

    return unsorted(places), unsorted(firsts[group]), unsorted(firsts[group + 1])


def count_pairs(risk: Tensor, time: Tensor, event: Tensor) -> ConcordanceCounts:
    """Count the later patients of every event; exact, ties in time and in risk included.

    Args:
        risk: float64 (n,), without NaN.
        time: float64 (n,).
        event: bool (n,).
    """
    order, later = latest_first(time, event)
    ranks, lower, at_most = ranked(risk[order])
    places = event[order].nonzero()[:, 0]
    later, lower, at_most = later[places], lower[places], at_most[places]
    if not (at_most - lower > 1).any():
        below = counts_below(ranks, later, lower)
        return ConcordanceCounts(order[places], later, below, torch.zeros_like(below))
    below, up_to = counts_below(ranks, later.repeat(2), torch.cat([lower, at_most])).chunk(2)
    return ConcordanceCounts(order[places], later, below, up_to - below)


def concordance_index(risk: Any, time: Any, event: Any) -> Tensor:
    """Return Harrell's C: the share of comparable pairs in which the earlier event had the higher risk.

    C = sum over pairs (1[risk_i > risk_j] + 1/2 1[risk_i = risk_j]) / number of pairs, over all (i, j) with
    event_i = 1 and (time_i < time_j, or time_i = time_j and event_j = 0). Exact, with equality of float64 numbers as
    the only kind of tie, in O(n log n): no pair is ever formed. Infinite risks are ranked like all others.

    Source: Harrell, Lee & Mark 1996, Statistics in Medicine 15, 361-387.

    Args:
        risk: (n,) or (n, 1); higher = earlier event.
        time: (n,), 0 or more.
        event: (n,), 1 = happened, 0 = censored.

    Returns:
        float64 scalar on the device of `risk`; NaN without a comparable pair.

    Raises:
        InputError: If a risk is NaN, a time negative or not finite, an event neither 0 nor 1, or a shape another; rows
            are named by position.

    Example:
        >>> import torch
        >>> concordance_index(torch.tensor([0.9, 0.4, 0.4]), torch.tensor([2.0, 5.0, 7.0]), torch.tensor([1, 1, 0]))
        tensor(0.8333, dtype=torch.float64)
    """
    counts = count_pairs(*checked_rows(risk, time, event))
    return counts.credit.sum() / counts.comparable.sum().double()
