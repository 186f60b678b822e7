"""Logistic regression with a ridge penalty, chosen and fitted on training rows in well under a second.

Shapes: N training rows, M scored rows, F features, C classes.
"""

import warnings
from typing import Any

import numpy as np

from ..errors import InputError, RunError
from .checks import checked_classes, checked_features

__all__ = ["RidgeLogistic"]

# What one step of Newton's method factorises; above it L-BFGS is faster.
_LARGEST_HESSIAN = 2_000


class RidgeLogistic:
    """Ridge logistic regression whose penalty is chosen by cross-validation within the training rows.

    The penalty with the smallest mean log-loss of `inner_folds` stratified folds is taken (ties: the stronger), out
    of 17 from 10^-3 to 10^5 times the inverse mean squared length of the centred training rows, which makes the fit
    independent of the unit of `x`. Columns are taken as they are: scale them first, on training rows.

    With more features than training rows it is fitted in the space that the training rows span, where the solution
    lies: the weights are the same (Hastie and Tibshirani 2004, doi:10.1093/biostatistics/kxh010, theorem 1).

    Args:
        seed: Seed of the inner folds.
        inner_folds: Number of inner folds; fewer where a class has fewer training rows.

    Attributes:
        inverse_penalty: The one chosen, scikit-learn's `C`.
        coefficients: (1, F) for two classes, (C, F) for more.

    Example:
        >>> x = np.array([[0.0, 1.0], [0.2, 0.0], [0.9, 1.0], [1.0, 0.0]] * 5)
        >>> model = RidgeLogistic(seed=0).fit(x, [0, 0, 1, 1] * 5)
        >>> model.probabilities(np.array([[0.0, 0.5], [1.0, 0.5]])).round(1)
        array([[1., 0.],
               [0., 1.]])
    """

    def __init__(self, seed: int = 0, inner_folds: int = 5) -> None:
        if inner_folds < 2:
            raise InputError(f"inner_folds is {inner_folds}; it must be at least 2")
        self.seed = seed
        self.inner_folds = inner_folds

    def fit(self, x: object, y: object) -> "RidgeLogistic":
        """Choose the penalty and fit.

        Args:
            x: (N, F).
            y: (N,) classes.

        Raises:
            InputError: If the arrays do not fit together, there is one class, or a class has a single row.
            RunError: If the fit does not converge.
        """
        target = checked_classes("y", y)
        values = checked_features("x", x, len(target))
        self._centre = values.mean(axis=0)
        values = values - self._centre
        self._rotation = _row_space(values)
        self._model = self._fitted(values if self._rotation is None else values @ self._rotation, target)
        self.classes = self._model.classes_
        self.inverse_penalty = float(self._model.C_)
        self.coefficients = self._model.coef_ if self._rotation is None else self._model.coef_ @ self._rotation.T
        return self

    def probabilities(self, x: object) -> np.ndarray:
        """Return (M, C) probabilities of the classes of the training rows, in ascending order.

        Args:
            x: (M, F).

        Raises:
            InputError: If `x` has another width.
        """
        rows = np.asarray(x)
        values = checked_features("x", rows, len(rows), len(self._centre)) - self._centre
        return self._model.predict_proba(values if self._rotation is None else values @ self._rotation)

    def _fitted(self, values: np.ndarray, target: np.ndarray):  # noqa: ANN202  (scikit-learn is imported late)
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegressionCV
        from sklearn.model_selection import StratifiedKFold

        length = np.mean(np.sum(values**2, axis=1))
        small = values.shape[1] * len(np.unique(target)) <= _LARGEST_HESSIAN
        options: dict[str, Any] = {
            "Cs": np.logspace(-3, 5, 17) / (length if length > 0 else 1.0),
            "cv": StratifiedKFold(self._folds(target), shuffle=True, random_state=self.seed),
            "scoring": "neg_log_loss",
            "solver": "newton-cholesky" if small else "lbfgs",
            "max_iter": 200 if small else 20_000,
            "tol": 1e-6,
            # a ridge alone, and attributes as they will be: scikit-learn warns where these two are left out
            "l1_ratios": (0.0,),
            "use_legacy_attributes": False,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                return LogisticRegressionCV(**options).fit(values, target)
            except ConvergenceWarning as error:
                raise RunError(f"ridge logistic regression did not converge: {error}; scale the columns") from error

    def _folds(self, target: np.ndarray) -> int:
        classes, counts = np.unique(target, return_counts=True)
        if len(classes) < 2:
            raise InputError(f"all {len(target)} training rows are of class {classes[0]}; two classes are needed")
        if counts.min() < 2:
            raise InputError(
                f"class {classes[counts.argmin()]} has a single training row; choosing a penalty needs two of each"
            )
        return min(self.inner_folds, int(counts.min()))


def _row_space(values: np.ndarray) -> np.ndarray | None:
    """Return an orthonormal basis (F, N) of the rows, or None where it would not be smaller."""
    if values.shape[1] <= values.shape[0]:
        return None
    return np.linalg.svd(values, full_matrices=False)[2].T
