"""Least squares over what an affine map does before and after a formula.

Legend of shapes: K curves, N points. Constants of a curve, in this order: a and b inside, c and d outside,
y = c * f(a * x + b) + d.
"""

from collections.abc import Callable

import numpy as np

from .seen import LearnedCurves

__all__ = ["Function", "fit_affine", "outer_constants", "root_mean_square"]

# Values of a formula of x at float64 points of any shape.
Function = Callable[[np.ndarray], np.ndarray]

_STEPS = 40
_DIFFERENCE = 1e-5
_SMALLEST_GAIN = 1e-9


def outer_constants(function: Function, curves: LearnedCurves, inner: np.ndarray) -> np.ndarray:
    """Return the best c and d for given a and b: (K, 2) to the constants (K, 4)."""
    with np.errstate(all="ignore"):
        values = function(inner[:, :1] * curves.x + inner[:, 1:])
        mean_value, mean_y = (np.sum(curves.weight * part, 1, keepdims=True) for part in (values, curves.y))
        centred = values - mean_value
        variance = np.sum(curves.weight * centred**2, 1, keepdims=True)
        factor = np.sum(curves.weight * centred * (curves.y - mean_y), 1, keepdims=True) / variance
        outer = np.hstack([factor, mean_y - factor * mean_value])
    outer[~np.isfinite(outer).all(1)] = (1.0, 0.0)
    return np.hstack([inner, outer])


def root_mean_square(function: Function, curves: LearnedCurves, constants: np.ndarray) -> np.ndarray:
    """Return the weighted root mean square error of each curve, (K,); infinite where a value is."""
    with np.errstate(all="ignore"):
        a, b, c, d = (constants[:, index, None] for index in range(4))
        error = np.sqrt(np.sum(curves.weight * (c * function(a * curves.x + b) + d - curves.y) ** 2, 1))
    return np.where(np.isfinite(error), error, np.inf)


def fit_affine(
    function: Function, curves: LearnedCurves, start: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the constants of every curve by damped Gauss-Newton steps (Levenberg and Marquardt), all curves at once.

    Args:
        function: The formula.
        curves: K curves.
        start: Constants at the start, (K, 4).
        free: Which of the four are fitted, boolean (4,).

    Returns:
        The constants (K, 4) and the weighted root mean square errors (K,).
    """
    constants, error = start.copy(), root_mean_square(function, curves, start)
    if not free.any():
        return constants, error
    damping = np.full(len(start), 1e-3)
    for _ in range(_STEPS):
        matrix, vector = _normal_equations(function, curves, constants, free)
        diagonal = np.einsum("kii->ki", matrix)
        ridge = damping[:, None] * diagonal + 1e-14 * (1 + diagonal.max(1, keepdims=True))
        step = np.zeros_like(constants)
        # the normal equations of a curve that overflows are set to 0 and move nothing
        step[:, free] = np.linalg.solve(matrix + np.einsum("ki,ij->kij", ridge, np.eye(free.sum())), vector)[..., 0]
        proposed = constants - step
        proposed_error = root_mean_square(function, curves, proposed)
        better = proposed_error < error
        gain = np.where(better, (error - proposed_error) / np.maximum(error, 1e-300), 0)
        constants[better], error = proposed[better], np.where(better, proposed_error, error)
        damping = np.clip(np.where(better, damping / 5, damping * 5), 1e-12, 1e8)
        if np.all((gain < _SMALLEST_GAIN) & (better | (damping >= 1e6))):
            break
    return constants, error


def _normal_equations(
    function: Function, curves: LearnedCurves, constants: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return J^T W J (K, F, F) and J^T W r (K, F, 1) of the free constants."""
    a, b, c, d = (constants[:, index, None] for index in range(4))
    inner = a * curves.x + b
    with np.errstate(all="ignore"):
        here, after, before = function(np.stack([inner, inner + _DIFFERENCE, inner - _DIFFERENCE]))
        slope = c * (after - before) / (2 * _DIFFERENCE)
        columns = np.stack([slope * curves.x, slope, here, np.ones_like(here)], axis=2)[:, :, free]
        residual = (c * here + d - curves.y)[..., None]
        weighted = columns * curves.weight[..., None]
        matrix, vector = np.einsum("kni,knj->kij", weighted, columns), np.einsum("kni,kno->kio", weighted, residual)
    usable = np.isfinite(matrix).all((1, 2)) & np.isfinite(vector).all((1, 2))
    matrix[~usable], vector[~usable] = np.eye(free.sum()), 0.0
    return matrix, vector
