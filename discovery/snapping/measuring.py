"""How far a formula is from the curves that it stands for.

Legend of shapes: K curves, N points.
"""

from collections.abc import Callable

import numpy as np

from .refinement import Function
from .seen import LearnedCurves

__all__ = ["Errors", "measure"]

_POINTS = 4001

# Values of the learned curves at points of their own, (K, N) to (K, N).
Curves = Callable[[np.ndarray], np.ndarray]


class Errors:
    """Errors of fitted curves.

    Args:
        seen: Root mean square over the inputs that were seen.
        largest: Largest at equally spaced points of the intervals.
        between: Largest change of the error between neighbouring points.
    """

    def __init__(self, seen: float, largest: float, between: float) -> None:
        self.seen, self.largest, self.between = seen, largest, between


def measure(function: Function, learned: Curves, curves: LearnedCurves, constants: np.ndarray) -> Errors:
    """Compare c*f(a*x + b) + d with the learned curves, at the inputs that were seen and finely over the intervals."""
    a, b, c, d = (constants[:, index, None] for index in range(4))

    def formula(x: np.ndarray) -> np.ndarray:
        return c * function(a * x + b) + d

    points = np.linspace(curves.x[:, 0], curves.x[:, -1], _POINTS, axis=1)
    difference = learned(points) - formula(points)
    seen = curves.sample_values - formula(curves.samples)
    return Errors(
        float(np.sqrt(np.mean(seen**2))),
        float(np.abs(difference).max()),
        float(np.abs(np.diff(difference, axis=1)).max()),
    )
