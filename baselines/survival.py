"""Floors of survival: no risk at all, ridge Cox on each view of the patients, and the mean of two rankings.

Shapes: N training rows, M scored rows, F columns of a view.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..metrics.survival import ConcordanceIndex, UnoConcordance
from .checks import check_names, checked_features, checked_survival
from .cox import RidgeCox

__all__ = ["RANK_AVERAGE", "survival_floors", "survival_risks"]

Views = Mapping[str, tuple[Any, Any]]

RANK_AVERAGE = "rank_average"
_CONSTANT = "constant"
# The molecular view that is averaged with the clinical one: the first that there is.
_MOLECULAR = ("pathway_means", "rna")


def survival_floors(
    views: Views, y_train: object, y_test: object, *, seed: int = 0, floors: Sequence[str] | None = None
) -> dict[str, dict[str, float]]:
    """Fit simple models on training rows and score them on test rows with the metrics of `SurvivalTask`.

    See `survival_risks` for the models.

    Args:
        views: Name -> (training rows (N, F), test rows (M, F)), such as rna, pathway_means and clinical.
        y_train: (N, 2) time and event.
        y_test: (M, 2).
        seed: Seed of the inner folds.
        floors: Which ones; None: all.

    Returns:
        Metrics of each floor, by the names that `SurvivalTask` logs after "test/"; NaN where undefined.

    Raises:
        InputError: If the arrays do not fit together or hold a value that is not allowed, all training rows are
            censored, or a floor is unknown.

    Example:
        >>> x, months = np.linspace(-1, 1, 40)[:, None], np.linspace(40, 1, 40)
        >>> y = np.stack([months, np.arange(40) % 3 > 0], axis=1)
        >>> found = survival_floors({"rna": (x[::2], x[1::2])}, y[::2], y[1::2])
        >>> found["rna"]["c_index"], found["constant"]["c_index"]
        (1.0, 0.5)
    """
    training, target = (torch.as_tensor(np.asarray(y), dtype=torch.float64) for y in (y_train, y_test))
    risks = survival_risks(views, y_train, seed=seed, floors=floors)
    found = {}
    for name, risk in risks.items():
        metrics = {"c_index": ConcordanceIndex(), "uno_c_index": UnoConcordance(training)}
        for metric in metrics.values():
            metric.update(torch.from_numpy(risk), target)
        found[name] = {key: float(metric.compute()) for key, metric in metrics.items()}
    return found


def survival_risks(
    views: Views, y_train: object, *, seed: int = 0, floors: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Return the risk (M,) that each simple model gives to the test rows, higher for an earlier event.

    `constant` gives everybody the same; a view gives that of `RidgeCox` on its columns, each less the mean and divided
    by the standard deviation of the training rows; `rank_average`, where there are pathway means (else expression) and
    clinical columns, is the mean of the two models' ranks among the test rows. Nothing sees an outcome of a test row.

    Args:
        views: Name -> (training rows (N, F), test rows (M, F)).
        y_train: (N, 2) time and event.
        seed: Seed of the inner folds.
        floors: Which ones; None: all.

    Raises:
        InputError: As `survival_floors`.

    Example:
        >>> x = np.linspace(-1, 1, 30)[:, None]
        >>> y = np.stack([np.linspace(40, 1, 30), np.ones(30)], axis=1)
        >>> survival_risks({"clinical": (x, x[[0, -1]])}, y, floors=["clinical"])["clinical"].round(1) > 0
        array([False,  True])
    """
    if not views:
        raise InputError("views is empty; give at least one, such as {'rna': (training rows, test rows)}")
    molecular = next((name for name in _MOLECULAR if name in views), None)
    pair = None if molecular is None or "clinical" not in views else (molecular, "clinical")
    known = [_CONSTANT, *views, *([RANK_AVERAGE] if pair else [])]
    chosen = known if floors is None else list(floors)
    check_names(chosen, known)
    target = np.asarray(y_train, dtype=np.float64)
    if target.ndim != 2 or target.shape[1] != 2:
        raise InputError(f"y_train has shape {target.shape}; it must be (N, 2), time and event")
    time, event = checked_survival("y_train", target[:, 0], target[:, 1])
    needed = [name for name in views if name in chosen or (pair and RANK_AVERAGE in chosen and name in pair)]
    risks = {name: _ridge(*views[name], time, event, seed, name) for name in needed}
    if pair and RANK_AVERAGE in chosen:
        risks[RANK_AVERAGE] = np.mean([_ranks(risks[name]) for name in pair], axis=0)
    risks[_CONSTANT] = np.zeros(len(next(iter(views.values()))[1]))
    return {name: risks[name] for name in chosen}


def _ridge(train: Any, test: Any, time: np.ndarray, event: np.ndarray, seed: int, name: str) -> np.ndarray:
    x_train = checked_features(f"view '{name}' of the training rows", train, len(time))
    x_test = checked_features(f"view '{name}' of the test rows", test, len(test), x_train.shape[1])
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    model = RidgeCox(seed=seed).fit((x_train - mean) / deviation, time, event)
    return model.risk((x_test - mean) / deviation)


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)
