"""Floors of regression: the mean, ridge regression, a random forest.

Shapes: N training rows, M scored rows, F features.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from ..errors import InputError
from ..metrics import regression_metrics
from .checks import check_names, checked_features

__all__ = ["regression_floors"]

_Floor = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def regression_floors(
    x_train: object,
    y_train: object,
    x_test: object,
    y_test: object,
    *,
    seed: int = 0,
    floors: Sequence[str] = ("constant", "ridge", "random_forest"),
) -> dict[str, dict[str, float]]:
    """Fit simple models on training rows and score them on test rows with the metrics of `RegressionTask`.

    `constant` answers the mean of the training rows; `ridge` is linear, its penalty (one of 17, as in
    `RidgeLogistic`) chosen by leave-one-out within the training rows; `random_forest` is scikit-learn's with 500
    trees and a third of the features per split.

    Args:
        x_train: (N, F) features.
        y_train: (N,) targets.
        x_test: (M, F).
        y_test: (M,).
        seed: Seed of the forest.
        floors: Which ones.

    Returns:
        Metrics of each floor, by the names that `RegressionTask` logs after "test/"; NaN where undefined.

    Raises:
        InputError: If the arrays do not fit together, hold a value that is not finite, or a floor is unknown.

    Example:
        >>> x = np.arange(10.0)[:, None]
        >>> found = regression_floors(x, 2 * x[:, 0], x, 2 * x[:, 0], floors=["constant", "ridge"])
        >>> round(found["ridge"]["r2"], 3), abs(round(found["constant"]["r2"], 3))
        (1.0, 0.0)
    """
    check_names(floors, _FLOORS)
    target, scored = _checked_target("y_train", y_train), _checked_target("y_test", y_test)
    train = checked_features("x_train", x_train, len(target))
    test = checked_features("x_test", x_test, len(scored), train.shape[1])
    return {name: _score(_FLOORS[name](train, target, test, seed), scored) for name in floors}


def _checked_target(name: str, y: object) -> np.ndarray:
    target = np.asarray(y, dtype=np.float64)
    if target.ndim != 1 or not np.isfinite(target).all():
        raise InputError(f"{name} has shape {target.shape}; it must be one-dimensional and finite")
    return target


def _constant(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    return np.full(len(x_test), y_train.mean())


def _ridge(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.linear_model import RidgeCV

    centre = x_train.mean(axis=0)
    length = np.mean(np.sum((x_train - centre) ** 2, axis=1)) or 1.0
    model = RidgeCV(alphas=length * np.logspace(-5, 3, 17))
    return np.asarray(model.fit(x_train - centre, y_train).predict(x_test - centre))


def _random_forest(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(500, max_features=1 / 3, random_state=seed).fit(x_train, y_train).predict(x_test)


def _score(predictions: np.ndarray, target: np.ndarray) -> dict[str, float]:
    metrics = regression_metrics()
    metrics.update(torch.from_numpy(predictions).float(), torch.from_numpy(target).float())
    return {name: float(value) for name, value in metrics.compute().items()}


_FLOORS: Mapping[str, _Floor] = {"constant": _constant, "ridge": _ridge, "random_forest": _random_forest}
