"""Which formula of a library stands for some curves: short against near.

Legend of shapes: K curves that share the formula, S starts.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from .constants import Fit, Price, refitted, simplest
from .refinement import fit_affine, outer_constants
from .result import NearFormula
from .seen import LearnedCurves
from .shapes import Shape, ShapeLibrary
from .writing import with_numbers

__all__ = ["Choice", "choose"]

# Formulas of each length that are fitted, after all were compared on a coarse grid of maps.
_FITTED_PER_LENGTH = 24


@dataclass(frozen=True)
class Choice:
    """The chosen formula.

    Attributes:
        shape: The formula of the library.
        fit: Its constants.
        length: Length of both.
        front: Shorter and coarser, longer and nearer ones.
    """

    shape: Shape
    fit: Fit
    length: int
    front: tuple[NearFormula, ...]

    def extended(self, flat: np.ndarray) -> Self:
        """Return the choice for more curves: those that are flat, (K,), get the median of the others' constants."""
        constants = np.empty((len(flat), 4))
        constants[~flat], constants[flat] = self.fit.constants, np.median(self.fit.constants, axis=0)
        return replace(self, fit=replace(self.fit, constants=constants))


def choose(curves: LearnedCurves, library: ShapeLibrary, price: Price, constants: Literal["needed", "all"]) -> Choice:
    """Return the formula of least price: its length, that of its constants, and the logarithm of its error."""
    fitted = [(shape, *_fitted(shape, curves)) for shape in library.nearest(curves, _FITTED_PER_LENGTH)]
    fitted.sort(key=lambda item: price(item[0].length, item[2]))
    nearest = {}
    for shape, _, error in fitted:
        if shape.length not in nearest or error < nearest[shape.length][1]:
            nearest[shape.length] = (shape, error)
    found: list[tuple[float, Shape, Fit]] = []
    for shape, start, error in fitted:
        # constants only add to the price: what is dearer without them cannot win
        cheapest = min((item[0] for item in found), default=math.inf)
        if nearest[shape.length][0] is shape or price(shape.length, error) < cheapest:
            fit = simplest(shape.function, curves, start, price)
            found.append((price(shape.length + fit.extra_length, fit.error), shape, fit))
    _, shape, fit = min(found, key=lambda item: (item[0], item[1].length))
    if constants == "all":
        fit = refitted(shape.function, curves, fit)
    return Choice(shape, fit, shape.length + fit.extra_length, _front(found))


def _fitted(shape: Shape, curves: LearnedCurves) -> tuple[np.ndarray, float]:
    """Return the constants of the best of the starts, (K, 4), and the error as a share of the curves' spread."""
    count, starts = len(curves), len(shape.inner)
    tiled = curves.part(np.tile(np.arange(count), starts))
    begin = outer_constants(shape.function, tiled, np.repeat(shape.inner, count, axis=0))
    constants, errors = fit_affine(shape.function, tiled, begin, np.ones(4, dtype=bool))
    by_start = errors.reshape(starts, count)
    best = by_start.argmin(0)
    chosen = constants.reshape(starts, count, 4)[best, np.arange(count)]
    error = math.sqrt(float(np.mean(by_start.min(0) ** 2))) / curves.typical_spread
    return chosen, error


def _front(found: list[tuple[float, Shape, Fit]]) -> tuple[NearFormula, ...]:
    """Return those of which no shorter one is nearer."""
    front: list[NearFormula] = []
    for _, shape, fit in sorted(found, key=lambda item: (item[1].length + item[2].extra_length, item[2].error)):
        if not front or fit.error < front[-1].error:
            text = with_numbers(shape.formula, fit.constants[0], fit.needed)
            front.append(NearFormula(text, shape.length + fit.extra_length, fit.error))
    return tuple(front)
