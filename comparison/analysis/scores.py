"""The scores of a study as arrays, every arm on the same splits in the same order.

Shapes: S splits, K seeds, D draws. NaN stands where a run is missing, failed or has no defined value.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .directions import sign_of
from .run_rows import RunRows, number_in
from .tables import Contrast

__all__ = ["contrast_scores", "null_means", "paired_sides", "score_cube", "split_scores"]

Floats: TypeAlias = NDArray[np.float64]
Cubes: TypeAlias = Mapping[str, Floats]


def score_cube(runs: RunRows, arm: str, metric: str) -> Floats:
    """Return the scores of an arm (S, K, D); splits are those of all arms, seeds and draws the arm's own."""
    rows = runs.of(arm)
    seeds, draws = sorted({row["seed"] for row in rows}), sorted({row["draw"] for row in rows} - {None}) or [None]
    places = [{value: place for place, value in enumerate(values)} for values in (runs.splits, seeds, draws)]
    cube = np.full((len(runs.splits), len(seeds), len(draws)), np.nan)
    for row in runs.of(arm, "done"):
        split, seed, draw = places[0][row["repeat"], row["fold"]], places[1][row["seed"]], places[2][row["draw"]]
        cube[split, seed, draw] = number_in(row, metric)
    return cube


def mean_of_defined(values: Floats, axis: int) -> Floats:
    """Return the mean along an axis over what is defined; NaN where nothing is."""
    defined = np.isfinite(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def split_scores(cube: Floats) -> Floats:
    """Return one score per split (S,): the mean over draws, then over seeds.

    Example:
        >>> split_scores(np.array([[[1.0, 3.0], [4.0, np.nan]]])).tolist()
        [3.0]
    """
    return mean_of_defined(mean_of_defined(cube, axis=2), axis=1)


def paired_sides(cubes: Cubes, contrast: Contrast, metric: str) -> tuple[Floats, Floats]:
    """Return both sides of a contrast (S, K), signed so that larger is better; NaN where an arm has no score.

    Draws are averaged. Where all arms have the same number of seeds, a seed counts only where every arm has a score for
    it, so that seeds stay paired; else every arm is averaged over its own, and K is 1.
    """
    sides = {arm: mean_of_defined(cubes[arm], axis=2) for arm in contrast.weights}
    if len({scores.shape[1] for scores in sides.values()}) > 1:
        sides = {arm: mean_of_defined(scores, axis=1)[:, None] for arm, scores in sides.items()}
    complete = np.all([np.isfinite(scores) for scores in sides.values()], axis=0)
    totals = []
    for sign in (1, -1):
        parts = [abs(weight) * sides[arm] for arm, weight in contrast.weights.items() if sign * weight > 0]
        total = np.sum(parts, axis=0) if parts else np.zeros(complete.shape)
        totals.append(np.where(complete, sign_of(metric) * total, np.nan))
    return totals[0], totals[1]


def contrast_scores(cubes: Cubes, contrast: Contrast, metric: str) -> tuple[Floats, Floats]:
    """Return both sides of a contrast, one score per split (S,), as `paired_sides` pairs them."""
    first, second = paired_sides(cubes, contrast, metric)
    return mean_of_defined(first, axis=1), mean_of_defined(second, axis=1)


def null_means(real: Floats, null: Floats) -> tuple[float, Floats, int]:
    """Return the real arm's mean, the mean of every complete draw (D,), and how many draws are incomplete.

    The splits are those on which the real arm has a score. A draw counts where it has a score on each of them:
    another mean would differ by how hard the missing splits are.
    """
    real_scores = split_scores(real)
    splits = np.isfinite(real_scores)
    if not splits.any():
        return float("nan"), np.empty(0), null.shape[2]
    draws = mean_of_defined(null, axis=1)[splits]
    complete = np.isfinite(draws).all(axis=0)
    return float(real_scores[splits].mean()), draws[:, complete].mean(axis=0), int((~complete).sum())
