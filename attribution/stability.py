"""Whether several networks agree about which nodes matter.

Legend of shapes: M networks, N nodes of a layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .node_scores import Scores, node_scores, same_nodes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KendallW", "RankStability", "kendall_w", "rank_biased_overlap", "rank_stability"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RankStability:
    """How far the rankings of M networks agree, per layer.

    Args:
        table: layer, measure ("overlap", "rbo", "kendall_w"), top (of overlap), nodes, value, chance (what random
            orders give on average), corrected: (value - chance) / (1 - chance), 0 by chance and 1 where all agree; NaN
            where chance itself is 1.
        networks: M.

    Example:
        >>> rank_stability([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]], top=[1]).table["value"].round(3).tolist()
        [1.0, 0.955, 0.75]
    """

    table: "pd.DataFrame"
    networks: int

    def __str__(self) -> str:
        """Return the table as text."""
        shown = self.table.astype({"top": "string"}).fillna({"top": ""})
        return shown.to_string(index=False, float_format=lambda value: f"{value:.3f}")


def rank_stability(
    scores: Sequence[Scores], *, top: Sequence[int] = (5, 10, 20), persistence: float = 0.9
) -> RankStability:
    """Measure how stable the ranking of nodes is over networks: other seeds, other folds.

    - overlap: mean over pairs of networks of the share of the k best nodes that both have; by chance k / N. Corrected
      for chance it is the consistency index of L. Kuncheva (IASTED AIA 2007).
    - rbo: mean over pairs of `rank_biased_overlap` of the whole rankings.
    - kendall_w: `kendall_w`; by chance 1 / M.

    Equal scores have no order. Overlaps then are the means over all ways of breaking the ties in each ranking (for rank
    biased overlap the variant a of M. Corsi and J. Urbano, SIGIR 2024), so that nodes without influence do not agree.

    Args:
        scores: One item per network, M >= 2, as `calibrate_importance` takes them; an array (M, N) is one.
        top: The k; those that are not below the number of nodes of a layer are left out there.
        persistence: The p of rank biased overlap: 0.9 puts 86 % of the weight on the first 10 nodes.

    Raises:
        InputError: If there are fewer than two networks, their nodes differ, or an option is out of range.

    Example:
        >>> found = rank_stability(np.random.default_rng(0).random((8, 200)))
        >>> bool(found.table["corrected"].abs().max() < 0.15)
        True
    """
    import pandas as pd

    if len(scores) < 2:
        raise InputError(f"scores holds {len(scores)} networks; stability needs two or more")
    if any(number < 1 for number in top):
        raise InputError(f"top is {list(top)}; it must list positive integers")
    _check_persistence(persistence)
    first = node_scores(scores[0])
    networks = [same_nodes(first, other, f"network {number}") for number, other in enumerate(scores)]
    rows = []
    for layer in first:
        values = np.stack([network[layer].scores for network in networks])
        measured = _measures(values, top, persistence)
        rows += [{"layer": layer, **row, "corrected": _corrected(row["value"], row["chance"])} for row in measured]
    table = pd.DataFrame(rows).astype({"top": "Int64"})
    return RankStability(table, len(scores))


def _measures(values: Floats, top: Sequence[int], persistence: float) -> list[dict]:
    size = values.shape[1]
    pairs = list(combinations(range(len(values)), 2))
    rows = []
    for number in [number for number in top if number < size]:
        best = np.stack([_inclusion(row, number) for row in values])
        shared = np.mean([best[a] @ best[b] for a, b in pairs]) / number
        rows.append({"measure": "overlap", "top": number, "value": float(shared), "chance": number / size})
    overlaps = [rank_biased_overlap(values[a], values[b], persistence) for a, b in pairs]
    rows.append(
        {"measure": "rbo", "top": None, "value": float(np.mean(overlaps)), "chance": _chance(size, persistence)}
    )
    agreement = kendall_w(values).w
    rows.append({"measure": "kendall_w", "top": None, "value": agreement, "chance": 1 / len(values)})
    return [{**row, "nodes": size} for row in rows]


def rank_biased_overlap(first: ArrayLike, second: ArrayLike, persistence: float = 0.9) -> float:
    """Return the extrapolated rank biased overlap of the orders of two sets of scores, highest first.

    With X_d nodes among the first d of both orders: X_N / N p^N + (1 - p) / p * sum over d of X_d / d p^d (W. Webber,
    A. Moffat and J. Zobel, ACM Trans Inf Syst 28:20, 2010, the extrapolated form). 1 for equal orders.
    Of ties it takes the mean over all orders that break them, independently in both.

    Args:
        first: (N,) scores.
        second: (N,) scores of the same nodes.
        persistence: p, between 0 and 1: the smaller, the more the first nodes count.

    Raises:
        InputError: If the numbers of scores differ or the persistence is not between 0 and 1.

    Example:
        >>> round(rank_biased_overlap([5, 4, 3, 2, 1], [2, 5, 4, 3, 1]), 3)  # orders a b c d e and b c d a e
        0.828
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 1 or not len(one):
        raise InputError(
            f"the scores have the shapes {one.shape} and {two.shape}; they must be those of the same nodes"
        )
    _check_persistence(persistence)
    depths = range(1, len(one) + 1)
    agreement = np.array([_inclusion(one, depth) @ _inclusion(two, depth) / depth for depth in depths])
    return _extrapolated(agreement, persistence)


def _extrapolated(agreement: Floats, persistence: float) -> float:
    weights = persistence ** np.arange(1, len(agreement) + 1)
    return float(agreement[-1] * weights[-1] + (1 - persistence) / persistence * (agreement @ weights))


def _chance(size: int, persistence: float) -> float:
    """Return the mean rank biased overlap of random orders: d of N nodes have d^2 / N in common."""
    return _extrapolated(np.arange(1, size + 1) / size, persistence)


def _inclusion(scores: Floats, number: int) -> Floats:
    """Return the probability (N,) that each node is among the best, ties broken at random."""
    cut = np.partition(scores, -number)[-number]
    above, level = scores > cut, scores == cut
    return above + level * ((number - above.sum()) / level.sum())


@dataclass(frozen=True)
class KendallW:
    """Kendall's coefficient of concordance and its test.

    Args:
        w: 0 to 1; NaN where every network gives all nodes the same score.
        p: Probability of so much agreement among random orders, by the chi-squared distribution.

    Example:
        >>> kendall_w([[1, 2, 3], [1, 2, 3]]).w
        1.0
    """

    w: float
    p: float


def kendall_w(scores: ArrayLike) -> KendallW:
    """Return the agreement of M orders of N nodes, corrected for ties.

    W = 12 S / (M^2 (N^3 - N) - M T): S the sum of squares of the rank sums about their mean, T the sum of t^3 - t over
    all groups of t equal scores; M (N - 1) W is chi-squared with N - 1 degrees of freedom (M. Kendall and B. Babington
    Smith, Ann Math Stat 10:275, 1939).

    Args:
        scores: (M, N) scores, M >= 2.

    Raises:
        InputError: If there are fewer than two rows.

    Example:
        >>> kendall_w([[1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 3, 4]]).w.__round__(3)
        0.822
    """
    from scipy.stats import chi2, rankdata

    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2:
        raise InputError(f"scores have the shape {values.shape}; concordance needs two or more rows (M, N)")
    networks, size = values.shape
    ranks = rankdata(values, axis=1)
    spread = ((ranks.sum(axis=0) - networks * (size + 1) / 2) ** 2).sum()
    ties = sum((many**3 - many).sum() for row in values for many in [np.unique(row, return_counts=True)[1]])
    scale = networks**2 * (size**3 - size) - networks * ties
    if scale == 0:
        return KendallW(float("nan"), float("nan"))
    w = float(12 * spread / scale)
    return KendallW(w, float(chi2.sf(networks * (size - 1) * w, size - 1)))


def _corrected(value: float, chance: float) -> float:
    return (value - chance) / (1 - chance) if chance < 1 else float("nan")


def _check_persistence(persistence: float) -> None:
    if not 0 < persistence < 1:
        raise InputError(f"persistence is {persistence}; it must be between 0 and 1")
