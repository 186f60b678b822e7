"""A table of curves to look up: which short formula is nearest to given values?

Legend of shapes: M points of the grid, P formulas.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .curve_evaluation import evaluate_formulas

__all__ = ["CurveTable", "NearCurve"]

# Errors below this share of the target's size are rounding: among such curves the earlier formula wins.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class NearCurve:
    """One formula of a table beside the values that were looked up: target ~ scale * f(x) + shift.

    Attributes:
        formula: Its text.
        index: Its place in the table.
        error: Weighted root mean square of target - (scale * f + shift).
        largest_error: The largest absolute difference at a point with positive weight.
        scale: 1 without affine fit.
        shift: 0 without affine fit.

    Example:
        >>> table = CurveTable(["x", "x*x"], grid=np.linspace(-1, 1, 5))
        >>> near = table.nearest(3 * table.grid**2 + 1, count=1, affine=True)[0]
        >>> near.formula, round(near.scale, 9), round(near.shift, 9)
        ('x*x', 3.0, 1.0)
    """

    formula: str
    index: int
    error: float
    largest_error: float
    scale: float = 1.0
    shift: float = 0.0


class CurveTable:
    """The values of many formulas on one grid, for search by value.

    Formulas whose values on the grid are not all finite are kept in the table but never found.

    Args:
        formulas: Texts, P of them; on equal distance the earlier one is preferred, so give the shortest first.
        grid: Points, (M,); by default 257 points, evenly spaced on [-5, 5].

    Attributes:
        formulas: The texts.
        grid: The points, float64 (M,).
        values: float64 (P, M): P * M * 8 bytes stay in memory (59 MB for 28,800 formulas on 257 points).

    Raises:
        InputError: If there is no formula, a text is no formula, or the grid is no list of finite numbers.

    Example:
        >>> table = CurveTable(["x", "sin(x)", "x*cos(x)"])
        >>> [near.formula for near in table.nearest(np.sin(table.grid), count=2)]
        ['sin(x)', 'x*cos(x)']
    """

    def __init__(self, formulas: Sequence[str], grid: np.ndarray | None = None) -> None:
        self.grid = np.linspace(-5, 5, 257) if grid is None else np.asarray(grid, dtype=np.float64)
        if self.grid.ndim != 1 or not self.grid.size or not np.isfinite(self.grid).all():
            raise InputError(f"grid has shape {self.grid.shape}; it must be a list of finite numbers")
        if not len(formulas):
            raise InputError("formulas is empty; a table needs at least one")
        self.formulas = tuple(formulas)
        self.values = evaluate_formulas(self.formulas, self.grid)
        self._finite = np.isfinite(self.values).all(1)

    def nearest(
        self, values: np.ndarray, count: int = 10, affine: bool = False, weights: np.ndarray | None = None
    ) -> list[NearCurve]:
        """Return the `count` nearest curves by weighted root mean square, nearest first.

        Args:
            values: Target on the grid, (M,).
            count: How many at most.
            affine: Compare with the best scale * f + shift of every formula instead of f itself.
            weights: Non-negative weight per point, (M,), for instance how often a unit sees an input near it;
                they are normalised to sum 1. All equal by default.

        Raises:
            InputError: If values or weights do not fit the grid.
        """
        target, share = self._target(values), self._share(weights)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            scale, shift = self._affine(target, share) if affine else (np.ones(len(self.formulas)), 0.0)
            residuals = self._squares(target, share, scale, shift)
        size = float(np.sqrt(share @ target**2))
        found = np.where(self._finite & np.isfinite(residuals), np.sqrt(np.maximum(residuals, 0.0)), np.inf)
        ranked = np.argsort(np.where(found <= _ROUNDING * size, 0.0, found), kind="stable")
        shifts = np.broadcast_to(shift, found.shape)
        return [
            self._near(int(index), target, share, float(scale[index]), float(shifts[index]))
            for index in ranked[:count]
            if np.isfinite(found[index])
        ]

    def _near(self, index: int, target: np.ndarray, share: np.ndarray, scale: float, shift: float) -> NearCurve:
        difference = target - (scale * self.values[index] + shift)
        error = float(np.sqrt(share @ difference**2))
        return NearCurve(self.formulas[index], index, error, float(np.abs(difference[share > 0]).max()), scale, shift)

    def _squares(
        self, target: np.ndarray, share: np.ndarray, scale: np.ndarray, shift: np.ndarray | float
    ) -> np.ndarray:
        """Return the weighted mean square of the residuals of every formula, (P,), some rows at a time.

        Not by expanding the square: that loses half of the digits where the fit is good.
        """
        shifts = np.broadcast_to(shift, scale.shape)
        result = np.empty(len(scale))
        rows = max(1, (1 << 22) // len(self.grid))
        for start in range(0, len(scale), rows):
            block = slice(start, start + rows)
            difference = target - (scale[block, None] * self.values[block] + shifts[block, None])
            result[block] = (difference * difference) @ share
        return result

    def _affine(self, target: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return scale and shift of the weighted least squares fit of every formula, each (P,)."""
        mean = share @ target
        means = self.values @ share
        second = np.empty(len(means))
        products = np.empty(len(means))
        rows = max(1, (1 << 22) // len(self.grid))
        for start in range(0, len(means), rows):
            block = slice(start, start + rows)
            centred = self.values[block] - means[block, None]
            second[block] = (centred * centred) @ share
            products[block] = centred @ (share * (target - mean))
        # A deviation that is rounding of the mean is no shape to scale.
        flat = second <= (1e-12 * np.abs(means)) ** 2
        scale = np.where(flat, 0.0, products / np.where(flat, 1.0, second))
        return scale, mean - scale * means

    def _target(self, values: np.ndarray) -> np.ndarray:
        target = np.asarray(values, dtype=np.float64)
        if target.shape != self.grid.shape or not np.isfinite(target).all():
            raise InputError(
                f"values has shape {target.shape}; it must hold one finite number for each of the "
                f"{len(self.grid)} points of the grid"
            )
        return target

    def _share(self, weights: np.ndarray | None) -> np.ndarray:
        if weights is None:
            return np.full(len(self.grid), 1 / len(self.grid))
        share = np.asarray(weights, dtype=np.float64)
        if share.shape != self.grid.shape or not np.isfinite(share).all() or (share < 0).any() or not share.any():
            raise InputError(
                f"weights has shape {share.shape}; it must hold one non-negative number for each of the "
                f"{len(self.grid)} points of the grid, not all 0"
            )
        return share / share.sum()
