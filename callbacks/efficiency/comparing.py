"""What a score is worth beside the parameters that it took."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

__all__ = ["EqualScore", "efficiency_score", "parameters_at_equal_score", "sweep_sizes"]

Runs = Mapping[int, Sequence[float]]


def efficiency_score(score: float, parameters: int) -> float:
    """Return E = score / log10(parameters), as published for the area under the ROC curve; NaN for one parameter.

    It rises without limit as a network shrinks, and a logistic regression beats every network: it says nothing alone.

    Source: "Neuro-Symbolic Activation Discovery", arXiv 2601.10740 (E_param).

    Example:
        >>> round(efficiency_score(0.894, 5_825), 3), round(efficiency_score(0.80, 55), 3)
        (0.237, 0.46)
    """
    return score / math.log10(parameters) if parameters > 1 else math.nan


@dataclass(frozen=True)
class EqualScore:
    """The number of parameters at which other runs reach a score.

    Attributes:
        parameters: The number, interpolated; infinite where none of the runs is as good.
        low: Lower end of the 95 % interval over the runs of each size; NaN with a single run per size.
        high: Upper end.
        smallest: Parameters of the smallest of the runs.
        largest: Parameters of the largest.

    Example:
        >>> EqualScore(9_300.0, 7_900.0, 11_200.0, 1_000, 50_000).text
        '9,300 parameters (7,900 to 11,200)'
        >>> EqualScore(math.inf, math.nan, math.nan, 1_000, 50_000).text
        'more than 50,000 parameters'
    """

    parameters: float
    low: float
    high: float
    smallest: int
    largest: int

    @property
    def text(self) -> str:
        """In words."""
        if math.isinf(self.parameters):
            return f"more than {self.largest:,} parameters"
        if self.parameters <= self.smallest:
            return f"{self.smallest:,} parameters or fewer"
        interval = f" ({self.low:,.0f} to {self.high:,.0f})" if math.isfinite(self.low + self.high) else ""
        return f"{self.parameters:,.0f} parameters{interval}"


def parameters_at_equal_score(target: float, runs: Runs, *, draws: int = 1_000, seed: int = 0) -> EqualScore:
    """Return how many parameters it takes in other runs to reach a score.

    The mean score of each size is made non-decreasing (isotonic regression), and the crossing is interpolated linearly
    in log10(parameters). The interval comes from drawing the runs of each size again (percentile bootstrap).

    Args:
        target: The score; larger is better.
        runs: The scores of the runs of each number of parameters.
        draws: Number of bootstrap draws.
        seed: Seed of the draws.

    Raises:
        InputError: If there is no run, or a score is not finite.

    Example:
        >>> runs = {1_000: [0.80, 0.82], 10_000: [0.90, 0.92]}
        >>> round(parameters_at_equal_score(0.86, runs).parameters)
        3162
        >>> parameters_at_equal_score(0.95, runs).text
        'more than 10,000 parameters'
    """
    sizes = sorted(runs)
    scores = [np.asarray(runs[size], dtype=np.float64) for size in sizes]
    if not sizes or any(not len(each) or not np.isfinite(each).all() for each in scores):
        raise InputError(f"runs has {len(sizes)} sizes; every one needs at least one finite score")
    if sizes[0] < 1:
        raise InputError(f"runs has the size {sizes[0]}; a number of parameters is positive")
    weights = np.array([len(each) for each in scores], dtype=np.float64)
    logs = np.log10(sizes)
    found = _crossing(target, logs, np.array([each.mean() for each in scores]), weights)
    low = high = math.nan
    if weights.min() > 1 and math.isfinite(found):
        generator = np.random.default_rng(seed)
        means = np.stack([generator.choice(each, (draws, len(each))).mean(axis=1) for each in scores], axis=1)
        drawn = np.array([_crossing(target, logs, row, weights) for row in means])
        low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return EqualScore(10**found, 10**low, 10**high, sizes[0], sizes[-1])


def _crossing(target: float, logs: NDArray[np.float64], means: NDArray[np.float64], weights: NDArray) -> float:
    """Return log10 of the number of parameters at which the rising fit reaches the target."""
    from sklearn.isotonic import isotonic_regression

    fit = np.asarray(isotonic_regression(means, sample_weight=weights))
    if fit[-1] < target:
        return math.inf
    place = int(np.argmax(fit >= target))
    if place == 0:
        return float(logs[0])
    share = (target - fit[place - 1]) / (fit[place] - fit[place - 1])
    return float(logs[place - 1] + share * (logs[place] - logs[place - 1]))


def sweep_sizes(
    target: float, score_of: Callable[[int], tuple[int, Sequence[float]]], sizes: Sequence[int]
) -> dict[int, list[float]]:
    """Run as few sizes as it takes to enclose a score, by halving; scores are taken to rise with size.

    Args:
        target: The score; larger is better.
        score_of: Trains networks of a size, such as a width; returns their number of parameters and their scores.
        sizes: Sizes that may be run, in rising order.

    Returns:
        What `parameters_at_equal_score` takes.

    Raises:
        InputError: If there is no size, or they do not rise.

    Example:
        >>> def train(width):
        ...     return 55 * width, [1 - 1 / width]
        >>> sweep_sizes(0.9, train, [2, 4, 8, 16, 32, 64])
        {110: [0.5], 3520: [0.984375], 440: [0.875], 880: [0.9375]}
    """
    if not sizes or any(later <= former for former, later in pairwise(sizes)):
        raise InputError(f"sizes is {list(sizes)}; give at least one, in rising order")
    found: dict[int, list[float]] = {}

    def reaches(place: int) -> bool:
        parameters, scores = score_of(sizes[place])
        found[parameters] = list(scores)
        return float(np.mean(scores)) >= target

    low, high = 0, len(sizes) - 1
    if reaches(low) or high == 0 or not reaches(high):
        return found
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return found
