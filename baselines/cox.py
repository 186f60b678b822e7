"""Cox regression with a ridge penalty, chosen and fitted on training rows in well under a second.

Shapes: N training rows, M scored rows, F features, r rank.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from ..errors import InputError, RunError
from .checks import checked_features, checked_survival
from .partial_likelihood import Curvature, PartialLikelihood

__all__ = ["Choice", "RidgeCox"]

Choice = Literal["partial_likelihood", "c_index"]

_MOST_STEPS = 50


class RidgeCox:
    """Cox's proportional hazards with a ridge penalty, chosen by cross-validation within the training rows.

    The penalty is half of alpha times the mean squared length of the centred training rows times the squared length
    of the weights, beside the negative log partial likelihood with Efron's ties: alpha counts events that speak for no
    effect, and does not depend on the unit of `x`. The alpha with the best sum over `inner_folds` folds, which share
    out the events, is taken (ties: the stronger): by the cross-validated partial likelihood (Verweij and van
    Houwelingen 1993, doi:10.1002/sim.4780122407), that of all rows less that of the fold's training rows, or by the
    C-index.

    The weights lie in the space of the training rows, so Newton's method works on their singular vectors, at most N
    however many features there are (Hastie and Tibshirani 2004, doi:10.1093/biostatistics/kxh010, theorem 1). There the
    Hessian is nearly diagonal, and each step is found by a few conjugate gradients. Columns are taken as they are:
    scale them first, on training rows.

    Args:
        alphas: The penalties to choose from; None: 11 from 10^-3 to 10^2.
        inner_folds: Number of inner folds; fewer where there are fewer events.
        choose_by: "partial_likelihood" or "c_index".
        seed: Seed of the inner folds.

    Attributes:
        alpha: The one chosen.
        scores: Score of each alpha, in the order of `alphas`.
        coefficients: (F,).

    Example:
        >>> x = np.linspace(-1, 1, 40)[:, None]
        >>> model = RidgeCox().fit(x, np.exp(-2 * x[:, 0]), np.arange(40) % 4 > 0)
        >>> risk = model.risk(np.array([[-1.0], [1.0]]))
        >>> bool(risk[1] > risk[0] + 1)
        True
    """

    def __init__(
        self,
        alphas: Sequence[float] | None = None,
        inner_folds: int = 3,
        choose_by: Choice = "partial_likelihood",
        seed: int = 0,
    ) -> None:
        grid = np.logspace(-3, 2, 11) if alphas is None else np.asarray(alphas, dtype=np.float64)
        if grid.ndim != 1 or not len(grid) or not (np.isfinite(grid) & (grid > 0)).all():
            raise InputError(f"alphas is {alphas}; it must be one or more positive numbers")
        if inner_folds < 2:
            raise InputError(f"inner_folds is {inner_folds}; it must be at least 2")
        if choose_by not in get_args(Choice):
            raise InputError(f"choose_by is '{choose_by}'; it must be 'partial_likelihood' or 'c_index'")
        self.alphas = grid
        self.inner_folds = inner_folds
        self.choose_by = choose_by
        self.seed = seed

    def fit(self, x: object, time: object, event: object) -> "RidgeCox":
        """Choose the penalty and fit.

        Args:
            x: (N, F).
            time: (N,) positive.
            event: (N,) 1 where the event happened, 0 where the patient was censored.

        Raises:
            InputError: If the arrays do not fit together, hold a value that is not allowed, or all are censored.
            RunError: If the fit does not converge.
        """
        when, happened = checked_survival("the training rows", time, event)
        values = checked_features("x", x, len(when))
        if not happened.any():
            raise InputError(f"all {len(when)} training rows are censored; a hazard needs events")
        self._centre = values.mean(axis=0)
        rotation, scores = _row_space(values - self._centre)
        self._unit = float(np.mean(np.sum(scores**2, axis=1))) if scores.shape[1] else 1.0
        self.scores = self._inner_scores(scores, when, happened)
        strongest_first = np.argsort(-self.alphas, kind="stable")
        self.alpha = float(self.alphas[strongest_first[np.argmax(self.scores[strongest_first])]])
        weights = _fitted(scores, PartialLikelihood(when, happened), self.alpha * self._unit, np.zeros(scores.shape[1]))
        self.coefficients = rotation @ weights
        return self

    def risk(self, x: object) -> np.ndarray:
        """Return log hazards (M,) relative to the mean of the training rows.

        Args:
            x: (M, F).

        Raises:
            InputError: If `x` has another width.
        """
        rows = np.asarray(x)
        return (checked_features("x", rows, len(rows), len(self._centre)) - self._centre) @ self.coefficients

    def _inner_scores(self, x: np.ndarray, time: np.ndarray, event: np.ndarray) -> np.ndarray:
        """Return the score of every alpha, added up over the inner folds."""
        found = np.zeros(len(self.alphas))
        folds = min(self.inner_folds, int(event.sum()))
        if folds < 2 or len(self.alphas) == 1:
            return found
        parts = _fold_numbers(event, folds, self.seed)
        everybody = PartialLikelihood(time, event)
        for fold in range(folds):
            train, rest = parts != fold, parts == fold
            centre = x[train].mean(axis=0)
            rotation, inner = _row_space(x[train] - centre)
            likelihood = PartialLikelihood(time[train], event[train])
            weights = np.zeros(inner.shape[1])
            for place in np.argsort(-self.alphas):
                weights = _fitted(inner, likelihood, float(self.alphas[place]) * self._unit, weights, 1e-6)
                risk = (x - centre) @ (rotation @ weights)
                if self.choose_by == "c_index":
                    found[place] += _concordance(risk[rest], time[rest], event[rest])
                else:
                    found[place] += likelihood.negative_log(risk[train]) - everybody.negative_log(risk)
        return found


def _row_space(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes (F, r) that span the rows, and the rows on them (N, r), whose columns are orthogonal."""
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    kept = singular > singular.max(initial=0.0) * max(x.shape) * np.finfo(np.float64).eps
    return right[kept].T, left[:, kept] * singular[kept]


def _fold_numbers(event: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of every row; each has its share of the events."""
    generator = np.random.default_rng(seed)
    numbers = np.empty(len(event), dtype=np.int64)
    for rows in (np.flatnonzero(event), np.flatnonzero(~event)):
        numbers[generator.permutation(rows)] = np.arange(len(rows)) % folds
    return numbers


def _fitted(
    x: np.ndarray, likelihood: PartialLikelihood, penalty: float, start: np.ndarray, tolerance: float = 1e-12
) -> np.ndarray:
    """Return the weights (r,) by Newton's method with halved steps; the objective is strictly convex."""
    x = x[likelihood.order]
    back = np.argsort(likelihood.order)

    def objective(weights: np.ndarray) -> float:
        return likelihood.negative_log((x @ weights)[back]) + 0.5 * penalty * float(weights @ weights)

    weights, value = start, objective(start)
    squares = np.sum(x**2, axis=0) / max(len(x), 1)
    for _ in range(_MOST_STEPS if len(start) else 0):
        curvature = Curvature(likelihood, x, x @ weights)
        gradient = curvature.gradient() + penalty * weights
        diagonal = curvature.expected.sum() * squares + penalty
        step = _solved(lambda v, at=curvature: at.product(v) + penalty * v, gradient, diagonal)
        decrement = float(gradient @ step)
        size = 1.0
        while not (following := objective(weights - size * step)) <= value and size > 1e-6:
            size /= 2
        if decrement <= tolerance * (1 + abs(value)):
            return weights if following > value else weights - size * step
        weights, value = weights - size * step, following
    if len(start):
        raise RunError(f"ridge Cox regression did not converge in {_MOST_STEPS} steps with penalty {penalty:g}")
    return weights


def _solved(product: Callable[[np.ndarray], np.ndarray], goal: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """Return x with product(x) = goal to three digits, by conjugate gradients preconditioned with the diagonal."""
    found, residual = np.zeros_like(goal), goal
    scaled = residual / diagonal
    direction, size = scaled, float(residual @ scaled)
    enough = 1e-6 * size
    for _ in range(len(goal)):
        if size <= enough:
            break
        image = product(direction)
        length = size / float(direction @ image)
        found, residual = found + length * direction, residual - length * image
        scaled = residual / diagonal
        following = float(residual @ scaled)
        direction, size = scaled + following / size * direction, following
    return found


def _concordance(risk: np.ndarray, time: np.ndarray, event: np.ndarray) -> float:
    import torch

    from ..metrics.survival import concordance_index

    found = float(concordance_index(*(torch.from_numpy(values) for values in (risk, time, event))))
    return 0.5 if np.isnan(found) else found  # without a comparable pair a fold says nothing about any penalty
