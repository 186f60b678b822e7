"""What a decision still needs: splits, seeds or draws, as sentences."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..statistics import (
    EmpiricalTest,
    draws_needed,
    draws_to_decide,
    seeds_needed,
    splits_needed,
    variance_components,
)
from .scores import Cubes, paired_sides
from .tables import NamedComparison

__all__ = ["still_needed"]

_LEVEL = 0.05


def still_needed(
    comparisons: Sequence[NamedComparison], cubes: Mapping[str, Cubes], p_floor: float | None = None
) -> dict[str, tuple[str, ...]]:
    """Return what each comparison needs for a decision, by its name; comparisons that need nothing are left out.

    Args:
        comparisons: Those on the metric that decides.
        cubes: Per metric and arm, scores (S, K, D).
        p_floor: Smallest empirical p that the study asks for; None: 0.05.
    """
    level = p_floor or _LEVEL
    found: dict[str, tuple[str, ...]] = {}
    for one in comparisons:
        sentences = []
        open_question = one.comparison.verdict == "inconclusive"
        if open_question and one.comparison.count > 1:
            sentences += [splits_needed(one.comparison).sentence, *_seeds(one, cubes[one.metric])]
        # With too few draws the empirical p says little, whatever the verdict is.
        if one.empirical is not None and (open_question or one.empirical.floor > level):
            sentences += _draws(one.empirical, level)
        if sentences:
            found[one.name] = tuple(sentences)
    return found


def _seeds(one: NamedComparison, cubes: Cubes) -> list[str]:
    """Return what more seeds would do, where there are several and they are paired."""
    first, second = paired_sides(cubes, one.contrast, one.metric)
    differences = first - second
    if differences.shape[1] < 2:
        return []
    splits, seeds = np.nonzero(np.isfinite(differences))
    table = pd.DataFrame({"split": splits, "seed": seeds, "score": differences[splits, seeds]})
    variance = variance_components(table).seed.estimate if len(table) else np.nan
    if not np.isfinite(variance):
        return []
    return [seeds_needed(one.comparison, float(variance), differences.shape[1]).sentence]


def _draws(test: EmpiricalTest, level: float) -> list[str]:
    if not test.p > level:
        return []
    needed = draws_to_decide(test, level)
    if needed is None:
        share = f"{100 * test.exceeding / test.count:.0f} % of the {test.count:,} draws"
        return [f"More draws do not bring the empirical p to {level:g}: {share} are at least as good as the real one."]
    if test.count < draws_needed(level):
        return [
            f"{test.count:,} draws can give no empirical p below {test.floor:.2g}; {needed:,} could give {level:g}."
        ]
    return [
        f"If the share of draws at least as good stays, {needed:,} draws in all bring the empirical p to {level:g}."
    ]
