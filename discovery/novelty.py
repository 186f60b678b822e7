"""Is a formula new, or a known activation in other words?

Legend of shapes: M points, A trial pairs of scale and shift of the input.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.optimize import least_squares

from ..activations import Formula
from .candidate import Candidate
from .known_functions import KnownFunction, known_functions

__all__ = ["known_as"]

_GRID = np.linspace(-12, 12, 1201) + 0.007  # beside the kinks that formulas have at whole numbers
_MIDDLE = slice(300, 901)  # about [-6, 6]
_COARSE = slice(300, 901, 6)
# Largest difference, as a share of the function's own spread: protected divisions are off by a millionth.
_SAME = 1e-5
# Trial scales and shifts of the input: fine enough that a sine of the largest frequency is not missed by half a wave.
_SCALES = np.geomspace(0.25, 4.0, 41)
_SHIFTS = np.linspace(-4, 4, 17)
# 1 - r^2 of a trial that is worth refining, and the residual that a few steps must have left.
_CLOSE = 0.3
_PROMISING = 1e-2
_LOWEST, _HIGHEST = np.array([0.2, -5.0]), np.array([5.0, 5.0])


@dataclass(frozen=True)
class _Relation:
    """f(x) = scale * known(inner_scale * x + inner_shift) + shift."""

    inner_scale: float
    inner_shift: float
    scale: float
    shift: float

    def words(self) -> str:
        """Return what was done to the known function, such as "scaled and shifted"."""
        done = {
            "scaled": not (_is(abs(self.inner_scale), 1) and _is(abs(self.scale), 1)),
            "reflected": self.inner_scale < 0 or self.scale < 0,
            "shifted": not (_is(self.inner_shift, 0) and _is(self.shift, 0)),
        }
        return " and ".join(word for word, holds in done.items() if holds)

    def text(self) -> str:
        """Return the relation as text, such as "2 * f(-x) + 1"."""
        inner = _term(self.inner_scale, "x") + _added(self.inner_shift)
        return _term(self.scale, f"f({inner})") + _added(self.shift)


def known_as(formula: Candidate | str) -> str | None:
    """Say which known activation a formula is, scaled, shifted or reflected if need be; None if it is new.

    It is compared by value, in double precision on [-12, 12], with the elementwise activations of this package and of
    torch.nn at their default parameters, and with the sine, the square, the absolute value and the exponential:
    first as they are, then with scale and shift of the output, then with scale (1/4 to 4) and shift (-4 to 4)
    of the input as well. "The same" is a largest difference of 1e-5 of the standard deviation.

    Args:
        formula: Text, or a candidate, whose constants have their values.

    Raises:
        InputError: If the text is no formula.

    Example:
        >>> known_as("cos(x)*x")
        'this is the Growing Cosine Unit (GrowingCosine)'
        >>> known_as("x/(1 + exp(0 - 2*x)) - 3")
        'this is the sigmoid linear unit, or Swish (SiLU), scaled and shifted: 0.5 * f(2 * x) - 3'
        >>> known_as("cos(x) - cos(cos(x))") is None
        True
    """
    values = _values(formula)
    if not np.isfinite(values).all():
        return None
    spread = float(values.std())
    if spread <= _SAME * max(1.0, float(np.abs(values).max())):
        return f"this is a constant, {values.mean():.5g}"
    known = known_functions()
    for function in known:
        if np.abs(values - function.curve(_GRID)).max() <= _SAME * spread:
            return f"this is {_named(function)}"
    for search in (_output_relations, _input_relations):
        for function in known:
            for relation in search(function, values):
                if _holds(function, relation, values):
                    return f"this is {_named(function)}, {relation.words()}: {relation.text()}"
    return None


def _values(formula: Candidate | str) -> np.ndarray:
    text, constants = (formula, {}) if isinstance(formula, str) else (formula.formula, dict(formula.constants))
    with torch.no_grad():
        module = Formula(text, constants=constants).double()
        return module(torch.from_numpy(_GRID)).numpy()


def _named(function: KnownFunction) -> str:
    return function.title if function.title == function.name else f"{function.title} ({function.name})"


def _holds(function: KnownFunction, relation: _Relation, values: np.ndarray) -> bool:
    inner = function.curve(relation.inner_scale * _GRID + relation.inner_shift)
    difference = values - (relation.scale * inner + relation.shift)
    return bool(np.abs(difference).max() <= _SAME * values.std())  # False for NaN, too


def _fit(curve: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return scale and shift of the least squares fit of curve (M,) to values (M,); scale 0 to a constant."""
    centred = curve - curve.mean()
    square = float(centred @ centred)
    if not math.isfinite(square) or square == 0:
        return 0.0, float(values.mean())
    scale = float(centred @ values) / square
    return scale, float(values.mean() - scale * curve.mean())


def _output_relations(function: KnownFunction, values: np.ndarray) -> Iterator[_Relation]:
    for sign in (1.0, -1.0):
        yield _Relation(sign, 0.0, *_fit(function.curve(sign * _GRID), values))


def _input_relations(function: KnownFunction, values: np.ndarray) -> Iterator[_Relation]:
    """Yield relations with scale and shift of the input: refined trials, the simplest kind first."""
    pairs, curves = _trials(function)
    target = values[_COARSE] - values[_COARSE].mean()
    if not (size := np.linalg.norm(target)):
        return
    similarity = curves @ (target / size)
    # of symmetric trials the one without reflection
    missed = 1 - similarity**2 + 1e-3 * (similarity < 0) + 1e-3 * (pairs[:, 0] < 0)
    only_shift, only_scale = np.abs(pairs[:, 0]) == 1, pairs[:, 1] == 0
    for tried, free in (
        (only_shift, [False, True]),
        (only_scale, [True, False]),
        (np.ones(len(pairs), bool), [True, True]),
    ):
        best = int(np.argmin(np.where(tried, missed, np.inf)))
        if missed[best] < _CLOSE:
            scale, shift = _refined(function, pairs[best], np.array(free), values[_MIDDLE])
            yield _Relation(scale, shift, *_fit(function.curve(scale * _GRID + shift), values))


@lru_cache(maxsize=128)
def _trials(function: KnownFunction) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs (A, 2) of scale a and shift b, and known(a x + b) with mean 0 and norm 1, float32 (A, M)."""
    scales = np.concatenate([_SCALES, -_SCALES])
    pairs = np.stack(np.meshgrid(scales, _SHIFTS, indexing="ij"), -1).reshape(-1, 2)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        curves = function.curve(pairs[:, :1] * _GRID[_COARSE] + pairs[:, 1:])
        curves = curves - curves.mean(1, keepdims=True)
        curves = curves / np.linalg.norm(curves, axis=1, keepdims=True)
    return pairs, np.nan_to_num(curves, nan=0.0).astype(np.float32)


def _refined(function: KnownFunction, start: np.ndarray, free: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return scale and shift of the input with the smallest residual after the best fit of the output."""
    spread = values.std()
    sign = np.array([math.copysign(1.0, start[0]), 1.0])
    pair = start * sign

    def residuals(moved: np.ndarray) -> np.ndarray:
        pair[free] = moved
        curve = function.curve(sign[0] * pair[0] * _GRID[_MIDDLE] + pair[1])
        scale, shift = _fit(curve, values)
        return (scale * curve + shift - values) / spread

    bounds = (_LOWEST[free], _HIGHEST[free])
    found = least_squares(residuals, pair[free], bounds=bounds, max_nfev=8)
    if np.sqrt(np.mean(found.fun**2)) < _PROMISING:
        found = least_squares(residuals, found.x, bounds=bounds, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=60)
    pair[free] = found.x
    return float(sign[0] * pair[0]), float(pair[1])


def _is(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= 1e-6


def _term(factor: float, what: str) -> str:
    if _is(abs(factor), 1):
        return what if factor > 0 else f"-{what}"
    return f"{factor:.5g} * {what}"


def _added(value: float) -> str:
    return "" if _is(value, 0) else f" {'+' if value > 0 else '-'} {abs(value):.5g}"
