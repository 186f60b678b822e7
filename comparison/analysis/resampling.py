"""How much of the data a split tests and trains on: what the corrected variance needs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Resampling", "resampling_of"]


class Resampling(NamedTuple):
    """Shares of all rows that one split tests and trains on; None: all rows that are not tested."""

    test_fraction: float
    train_fraction: float | None = None


def resampling_of(folds: int, details: Mapping[str, Mapping[str, Any]]) -> Resampling:
    """Return 1 / folds, and the share of training rows where runs noted how many they had.

    Validation rows are held back from training: the ratio of test to training rows, which counts, is larger with them.
    """
    rows = [
        (run["train_rows"], run["test_rows"])
        for run in details.values()
        if run.get("train_rows") and run.get("test_rows")
    ]
    test = 1 / folds
    if not rows:
        return Resampling(test)
    train, tested = np.mean(rows, axis=0)
    return Resampling(test, min(test * float(train) / float(tested), 1 - test))
