"""Floors of classification: a constant, ridge logistic regression, a random forest.

Shapes: N training rows, M scored rows, F features, C classes.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from ..errors import InputError
from ..metrics import classification_metrics
from .checks import check_names, checked_classes, checked_features
from .ridge_logistic import RidgeLogistic

__all__ = ["classification_floors"]

# (x_train, y_train, x_test, seed) -> (M, classes of the training rows in ascending order)
_Floor = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def classification_floors(
    x_train: object,
    y_train: object,
    x_test: object,
    y_test: object,
    *,
    seed: int = 0,
    num_classes: int | None = None,
    floors: Sequence[str] = ("constant", "ridge_logistic", "random_forest"),
) -> dict[str, dict[str, float]]:
    """Fit simple models on training rows and score them on test rows with the metrics of `ClassificationTask`.

    `constant` answers the share of each class among the training rows; `ridge_logistic` is `RidgeLogistic`;
    `random_forest` is scikit-learn's with 500 trees and its defaults otherwise. Nothing sees a test row before it
    is scored, and columns are taken as they are: give what the network is given.

    Args:
        x_train: (N, F) features.
        y_train: (N,) classes 0 to C - 1.
        x_test: (M, F).
        y_test: (M,).
        seed: Seed of the inner folds and of the forest.
        num_classes: C; None takes the classes of the training rows.
        floors: Which ones.

    Returns:
        Metrics of each floor, by the names that `ClassificationTask` logs after "test/"; NaN where undefined.

    Raises:
        InputError: If the arrays do not fit together, hold a value that is not finite or an unknown class, the
            training rows are of one class, or a floor is unknown.

    Example:
        >>> x = np.array([[0.0], [0.1], [0.9], [1.0]] * 5)
        >>> y = [0, 0, 1, 1] * 5
        >>> found = classification_floors(x, y, [[0.2], [0.8]], [0, 1], floors=["constant", "ridge_logistic"])
        >>> found["ridge_logistic"]["accuracy"], found["constant"]["auroc"]
        (1.0, 0.5)
    """
    check_names(floors, _FLOORS)
    target = checked_classes("y_train", y_train, num_classes)
    scored = checked_classes("y_test", y_test, num_classes or int(target.max(initial=0)) + 1)
    train = checked_features("x_train", x_train, len(target))
    test = checked_features("x_test", x_test, len(scored), train.shape[1])
    present = np.unique(target)
    if len(present) < 2:
        raise InputError(f"all {len(target)} training rows are of class {present[0]}; two classes are needed")
    classes = num_classes or int(present[-1]) + 1
    found = {}
    for name in floors:
        probabilities = np.zeros((len(test), classes))
        probabilities[:, present] = _FLOORS[name](train, target, test, seed)
        found[name] = _score(probabilities, scored)
    return found


def _constant(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    shares = np.unique(y_train, return_counts=True)[1] / len(y_train)
    return np.tile(shares, (len(x_test), 1))


def _ridge_logistic(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    return RidgeLogistic(seed).fit(x_train, y_train).probabilities(x_test)


def _random_forest(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.ensemble import RandomForestClassifier

    return np.asarray(RandomForestClassifier(500, random_state=seed).fit(x_train, y_train).predict_proba(x_test))


def _score(probabilities: np.ndarray, target: np.ndarray) -> dict[str, float]:
    classes = probabilities.shape[1]
    metrics = classification_metrics(classes)
    # float32, as a network's probabilities are
    scores = torch.from_numpy(probabilities).float()
    metrics.update(scores[:, 1] if classes == 2 else scores, torch.from_numpy(target))
    return {name: float(value) for name, value in metrics.compute().items()}


_FLOORS: Mapping[str, _Floor] = {
    "constant": _constant,
    "ridge_logistic": _ridge_logistic,
    "random_forest": _random_forest,
}
