"""Which constants a fitted formula needs, and which of them are round.

Constants of a curve: a and b inside, c and d outside, y = c * f(a * x + b) + d.
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from .refinement import Function, fit_affine, root_mean_square
from .seen import LearnedCurves

__all__ = ["Fit", "Price", "refitted", "simplest"]

_NEUTRAL = (1.0, 0.0, 1.0, 0.0)
_ROUND = (0.25, 0.5, math.sqrt(0.5), 1.0, math.sqrt(2), 2.0, math.pi / 2, 3.0, math.pi, 4.0)
# Round values are tried where the fitted one is within this distance, relative to it or absolute.
_NEAR = 0.15
_GAIN_BEYOND = 1.05
# Beyond, a formula is the small difference of large terms, which float32 does not hold.
_LARGEST = 1e4


@dataclass(frozen=True)
class Price:
    """What one formula costs beside another: length against error.

    Attributes:
        gain: How many times smaller a further node must make the error.
        resolution: Error, as a share of the curve's spread, below which smaller is no better.
        tolerance: Error above which a node is worth far less: it need only take a twentieth of the error away.
    """

    gain: float
    resolution: float
    tolerance: float

    def __call__(self, length: int, error: float) -> float:
        """Return the price of such a length and such an error, a share of the curve's spread."""
        beyond = math.log(max(error / self.tolerance, 1.0)) / math.log(_GAIN_BEYOND)
        return length + math.log(max(error, self.resolution)) / math.log(self.gain) + beyond


@dataclass(frozen=True)
class Fit:
    """Constants of a formula for some curves.

    Attributes:
        constants: (K, 4).
        error: Weighted root mean square error over all curves, as a share of their spread.
        free: Which constants may take any value, boolean (4,); the others are round or neutral.
    """

    constants: np.ndarray
    error: float
    free: np.ndarray

    @property
    def needed(self) -> list[int]:
        """Numbers of the constants that must be written."""
        return [index for index in range(4) if self.free[index] or np.any(self.constants[:, index] != _NEUTRAL[index])]

    @property
    def extra_length(self) -> int:
        """What the constants add to the length.

        An operation and a number each, and one more for a number that is not round; a minus sign alone is one.
        """
        length = 0
        for index in self.needed:
            sign = index in (0, 2) and np.all(self.constants[:, index] == -1)
            length += 3 if self.free[index] else 1 if sign else 2
        return length


def simplest(function: Function, curves: LearnedCurves, start: np.ndarray, price: Price) -> Fit:
    """Fit all four constants, then fix one after another to a neutral or round value as long as the price falls.

    Args:
        function: The formula.
        curves: K curves that share the formula, each with constants of its own.
        start: Constants to start from, (K, 4).
        price: What decides.
    """
    best = _fit(function, curves, _upright(function, curves, start), np.ones(4, dtype=bool))
    while True:
        tried = [_fit(function, curves, fixed, free) for fixed, free in _simpler(best)]
        cheapest = min(tried, key=lambda fit: price(fit.extra_length, fit.error), default=best)
        if price(cheapest.extra_length, cheapest.error) > price(best.extra_length, best.error) - 1e-9:
            return best
        best = cheapest


def _upright(function: Function, curves: LearnedCurves, start: np.ndarray) -> np.ndarray:
    """Return the same fits with positive scales of the input where the formula is even or odd, row by row."""
    constants, error = start.copy(), root_mean_square(function, curves, start)
    for signs in ((-1, -1, 1, 1), (-1, -1, -1, 1)):
        turned = constants * np.array(signs)
        same = root_mean_square(function, curves, turned) <= error * (1 + 1e-6) + 1e-12 * curves.typical_spread
        rows = same & (constants[:, 0] < 0)
        constants[rows] = turned[rows]
    return constants


def _fit(function: Function, curves: LearnedCurves, start: np.ndarray, free: np.ndarray) -> Fit:
    constants, errors = fit_affine(function, curves, start, free)
    if np.abs(constants).max() > _LARGEST:
        errors = np.full_like(errors, np.inf)
    return Fit(constants, math.sqrt(float(np.mean(errors**2))) / curves.typical_spread, free)


def _simpler(fit: Fit) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return starts and free constants of the fits with one more constant fixed."""
    found = []
    for index in np.flatnonzero(fit.free):
        values = fit.constants[:, index]
        for value in _candidates(int(index), values):
            start, free = fit.constants.copy(), fit.free.copy()
            start[:, index], free[index] = value, False
            found.append((start, free))
    return found


def _candidates(index: int, values: np.ndarray) -> list[float]:
    """Return the neutral value and the round values near those of a constant, signs included."""
    middle = float(np.median(values))
    near = [
        sign * value
        for sign, value in product((1, -1), _ROUND)
        if abs(sign * value - middle) <= _NEAR * max(1.0 if index in (1, 3) else 0.0, abs(middle))
    ]
    always = [_NEUTRAL[index], -1.0] if index in (0, 2) else [_NEUTRAL[index]]
    return list(dict.fromkeys([*always, *near]))


def refitted(function: Function, curves: LearnedCurves, fit: Fit) -> Fit:
    """Return the fit with all four constants free."""
    return _fit(function, curves, fit.constants, np.ones(4, dtype=bool))
