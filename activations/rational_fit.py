"""Coefficients from which a rational activation starts: a weighted least-squares fit to a named function."""

from functools import lru_cache

import numpy as np
import torch

from .numerics import known_curve

__all__ = ["fit_rational"]

_RANGE = 3.0
_POINTS = 601
_ROUNDS = 12
# A coefficient inside |b| that starts at exactly 0 has no gradient and would stay there.
_SMALLEST = 1e-3


@lru_cache(maxsize=64)
def fit_rational(
    name: str, numerator_degree: int, denominator_degree: int, version: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit P / Q to a named function on [-3, 3] and return the coefficients of P and Q.

    With non-negative coefficients (version B: of even powers only) both denominators are free of sign
    changes, so the problem is linear once multiplied by Q; each round divides the residuals by the last Q
    (Sanathanan and Koerner, 1963) and the round with the smallest true error is kept.

    Raises:
        InputError: If the name is unknown.

    Example:
        >>> numerator, denominator = fit_rational("identity", 1, 2, "B")
        >>> len(numerator), len(denominator)
        (2, 2)
    """
    from scipy.optimize import lsq_linear

    x = np.linspace(-_RANGE, _RANGE, _POINTS)
    target = known_curve(name)(torch.from_numpy(x)).numpy()
    powers = range(1, denominator_degree + 1)
    free = [power for power in powers if version == "A" or power % 2 == 0]
    top = x[:, None] ** np.arange(numerator_degree + 1)
    bottom = np.abs(x)[:, None] ** np.array(free, dtype=int)
    design = np.hstack([top, -target[:, None] * bottom])
    lower = np.r_[np.full(top.shape[1], -np.inf), np.full(len(free), _SMALLEST)]
    whole, best = np.ones_like(x), (np.inf, np.zeros(design.shape[1]))
    for _ in range(_ROUNDS):
        solution = lsq_linear(design / whole[:, None], target / whole, (lower, np.inf)).x
        whole = 1 + bottom @ solution[top.shape[1] :]
        error = float(np.mean((top @ solution[: top.shape[1]] / whole - target) ** 2))
        best = min(best, (error, solution), key=lambda pair: pair[0])
    coefficients = best[1]
    denominator = dict(zip(free, coefficients[top.shape[1] :].tolist(), strict=True))
    # Version B with degree 1 has no even power: start from a small one so that the coefficient is trained.
    rest = _SMALLEST if not free else 0.0
    return tuple(coefficients[: top.shape[1]].tolist()), tuple(denominator.get(power, rest) for power in powers)
