"""How the activities of causal pathways make a score, with its exact mean and variance.

Shapes: N rows, k causal pathways, T terms (k; k/2 for interactions).

Activities are standard normal with correlations R (k, k), so every moment here has a closed form or a quadrature of
two dimensions; none is estimated from the rows.
"""

from typing import Literal

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

__all__ = ["Effect", "expected_auroc", "score_moments", "score_terms"]

Effect = Literal["linear", "tanh", "threshold", "interaction"]


def score_terms(activities: np.ndarray, effect: Effect) -> np.ndarray:
    """Return what is summed to the score, (N, T): a, tanh(a), sign(a), or products of the 1st and 2nd, 3rd and 4th, ...

    Example:
        >>> score_terms(np.array([[2.0, -3.0]]), "interaction").tolist()
        [[-6.0]]
    """
    if effect == "linear":
        return activities
    if effect == "tanh":
        return np.tanh(activities)
    if effect == "threshold":
        return np.sign(activities)
    return activities[:, ::2] * activities[:, 1::2]


def score_moments(correlations: np.ndarray, coefficients: np.ndarray, effect: Effect) -> tuple[float, float]:
    """Return mean and variance of the terms weighted by their coefficients (T,).

    Signs of normal variables have the covariance 2/pi arcsin(r); products have those of Isserlis' theorem.

    Example:
        >>> score_moments(np.eye(2), np.array([1.0, -1.0]), "linear")
        (0.0, 2.0)
    """
    means, covariance = np.zeros(len(coefficients)), correlations
    if effect == "tanh":
        covariance = _tanh_covariance(correlations)
    elif effect == "threshold":
        covariance = 2 / np.pi * np.arcsin(np.clip(correlations, -1, 1))
    elif effect == "interaction":
        first, second = slice(0, None, 2), slice(1, None, 2)
        means = np.diag(correlations[first, second])
        covariance = correlations[first, first] * correlations[second, second]
        covariance = covariance + correlations[first, second] * correlations[second, first]
    return float(coefficients @ means), float(coefficients @ covariance @ coefficients)


def _tanh_covariance(correlations: np.ndarray) -> np.ndarray:
    """Return E[tanh(a) tanh(b)] per pair, by Gauss-Hermite quadrature with b = r a + sqrt(1 - r^2) c."""
    points, weights = hermegauss(64)
    weights = weights / weights.sum()
    inner = correlations[..., None, None] * points[:, None]
    spread = np.sqrt(np.clip(1 - correlations**2, 0, None))[..., None, None] * points
    return np.einsum("i,j,i,...ij->...", weights, weights, np.tanh(points), np.tanh(inner + spread))


def expected_auroc(signal: float, prevalence: float) -> float:
    """Return the AUROC of the noiseless score when it is normal (effect "linear"): the ceiling of every classifier.

    With liability sqrt(signal) s + sqrt(1 - signal) e and class 1 above its threshold t, P(class 1 | s) is
    Phi((sqrt(signal) s - t) / sqrt(1 - signal)), and the AUROC is the probability that s is larger in class 1.

    Args:
        signal: Share of the variance of the liability that the score explains, 0 to 1.
        prevalence: Share of class 1, between 0 and 1.

    Example:
        >>> round(expected_auroc(0.5, 0.5), 3), expected_auroc(1.0, 0.5), round(expected_auroc(0.0, 0.1), 3)
        (0.833, 1.0, 0.5)
    """
    from scipy.stats import norm

    if signal == 1:
        return 1.0
    grid = np.linspace(-9, 9, 20_001)
    case = norm.cdf((np.sqrt(signal) * grid - norm.isf(prevalence)) / np.sqrt(1 - signal))
    cases, controls = norm.pdf(grid) * case, norm.pdf(grid) * (1 - case)
    below = np.cumsum(controls) - controls / 2
    return float(cases @ below / (cases.sum() * controls.sum()))
