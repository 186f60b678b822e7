"""Means and paired ratios over seeds, with t intervals, and the rules that turn them into words."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from _induction_parts import ALL_OF_LAYER_1
from axonlight.comparison.statistics.families import adjusted_p_values
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = [
    "ORDER",
    "PAIRS",
    "PLATEAU_ABOVE",
    "PUBLISHED",
    "Interval",
    "Ratio",
    "geometric_mean",
    "mean",
    "plateau_word",
    "ratio",
    "ratios_of",
    "times_of",
]

# Sequences until the loss is below 0.277, read off the figures of arXiv 2404.07129 (to about 10 %).
PUBLISHED = {
    "match": 0.33e5,
    "copy": 0.42e5,
    "layer 1": 0.8e5,
    "attention": 2.15e5,
    "none": 3.15e5,
    "layer 1 + copy": 0.28e5,
    "all heads": 2.65e5,
    ALL_OF_LAYER_1: 8e5,
}
ORDER = ("match", "copy", "layer 1", "attention", "none")
# What is compared: neighbours in the published order, and three more questions. The first is said to learn earlier.
PAIRS = [
    *pairwise(ORDER),
    ("layer 1 + copy", "match"),
    ("all heads", "none"),
    ("attention", ALL_OF_LAYER_1),
]
# A loss that falls exponentially from ln 5 to 0.277 spends 11 % of that time within 10 % of ln 2.
PLATEAU_ABOVE = 0.25
LEVEL = 0.95


class Interval(NamedTuple):
    """A mean over seeds with its 95 % t interval."""

    mean: float
    low: float
    high: float


class Ratio(NamedTuple):
    """How many times as long the first arm takes as the second one, and what follows at 5 % over all pairs (Holm)."""

    first: str
    second: str
    interval: Interval
    p_value: float
    word: str
    censored: int


def mean(values: ArrayLike) -> Interval:
    """Return the mean of values that are there with its t interval; of one value, without."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    if not len(known):
        return Interval(np.nan, np.nan, np.nan)
    middle = float(known.mean())
    if len(known) < 2:
        return Interval(middle, np.nan, np.nan)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    return Interval(middle, middle - half, middle + half)


def geometric_mean(values: ArrayLike) -> Interval:
    """Return the geometric mean with the t interval of the logarithms."""
    return Interval(*np.exp(mean(np.log(np.asarray(values, dtype=float)))).tolist())


def times_of(runs: pd.DataFrame, arm: str, seeds: Sequence[int]) -> tuple[NDArray[np.float64], int]:
    """Return when the runs of an arm learned (crossings), and how many never did: they count as long as they ran."""
    own = runs[runs["arm"] == arm].set_index("seed").loc[list(seeds)]
    never = own["crossing"].isna()
    return own["crossing"].where(~never, own["sequences"]).to_numpy(dtype=float), int(never.sum())


def ratio(runs: pd.DataFrame, first: str, second: str) -> tuple[NDArray[np.float64], int]:
    """Return log(time of the first / time of the second) by seed, and how many times are bounds."""
    seeds = sorted(runs["seed"].unique())
    (one, never), (other, too) = (times_of(runs, arm, seeds) for arm in (first, second))
    return np.log(one) - np.log(other), never + too


def ratios_of(runs: pd.DataFrame, pairs: Sequence[tuple[str, str]] = PAIRS) -> list[Ratio]:
    """Return the paired comparisons of learning times."""
    found = [ratio(runs, *pair) for pair in pairs]
    raw = [float(stats.ttest_1samp(logs, 0.0).pvalue) if len(logs) > 1 else np.nan for logs, _ in found]
    return [
        Ratio(first, second, Interval(*np.exp(mean(logs)).tolist()), p, _word(mean(logs).mean, p), censored)
        for (first, second), (logs, censored), p in zip(pairs, found, adjusted_p_values(raw), strict=True)
    ]


def _word(difference: float, p_value: float) -> str:
    if not p_value < 1 - LEVEL:
        return "undecided"
    return "earlier" if difference < 0 else "later"


def plateau_word(share: Interval) -> str:
    """Return whether an arm keeps the plateau: its mean share of time near ln 2 lies surely above 25 %, or below."""
    if share.low > PLATEAU_ABOVE:
        return "keeps it"
    return "loses it" if share.high < PLATEAU_ABOVE else "undecided"
