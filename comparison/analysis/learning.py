"""Learning curves of arms, as tables of runs by epochs.

Shapes: R runs, T epochs.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from .run_rows import RunRows
from .tables import LearningCurve

__all__ = ["learning_curves"]


def learning_curves(
    runs: RunRows, curves: Mapping[str, Mapping[str, Sequence[float]]], arms: Sequence[str]
) -> tuple[LearningCurve, ...]:
    """Return the values per run and epoch of every arm and quantity; NaN after a run has ended.

    Args:
        runs: The planned runs.
        curves: Per key of a run, values per epoch by name.
        arms: Which arms.
    """
    found = []
    for arm in arms:
        keys = dict.fromkeys(row["key"] for row in runs.of(arm, "done"))
        own = [curves[key] for key in keys if key in curves]
        for quantity in dict.fromkeys(name for run in own for name in run):
            values = [run[quantity] for run in own if len(run.get(quantity, ()))]
            if values:
                found.append(LearningCurve(arm, quantity, _table(values)))
    return tuple(found)


def _table(runs: Sequence[Sequence[float]]) -> np.ndarray:
    table = np.full((len(runs), max(map(len, runs))), np.nan)
    for place, run in enumerate(runs):
        values = np.array([np.nan if value is None else value for value in run], dtype=np.float64)
        table[place, : len(values)] = np.where(np.isfinite(values), values, np.nan)
    return table
