"""What a formula costs besides finding it, and which formulas nobody beats in everything.

Legend of shapes: P candidates, K goals.
"""

import math

import numpy as np

from ..activations.formula import compile_program, parse_formula
from .curve_evaluation import evaluate_formulas

__all__ = ["evaluation_cost", "pareto_front", "roughness"]

# Time of one function on 64,000 float32 values in units of an addition, on one thread of a processor with AVX-512;
# the others take about as long as an addition.
_COSTS = {"cos": 9, "div": 4, "erf": 9, "exp": 7, "inv": 3, "log": 10, "pow": 18, "sigmoid": 3, "sin": 9}
_COSTS |= {"softplus": 11, "sqrt": 20, "tan": 22, "tanh": 18}
_STEP = 0.1


def evaluation_cost(formula: str) -> int:
    """Return what one evaluation costs in additions: that of its compiled program, whose common parts count once.

    Example:
        >>> evaluation_cost("x + x*x"), evaluation_cost("sin(x)*sin(x)")
        (2, 10)
    """
    return sum(_COSTS.get(name, 1) for name, _, _ in compile_program(parse_formula(formula)).steps)


def roughness(formula: str) -> float:
    """Return the root mean square of the second difference quotient (step 0.1) under N(0, 1), per deviation of f.

    0 for a straight line; a kink counts by the change of its slope over the step.

    Example:
        >>> roughness("x") < 1e-9 < roughness("sin(x)") < roughness("abs(x)")
        True
    """
    points = np.linspace(-6, 6, 1201)
    weights = np.exp(-(points**2) / 2)
    weights /= weights.sum()
    below, here, above = (evaluate_formulas([formula], points + shift)[0] for shift in (-_STEP, 0.0, _STEP))
    variance = float(weights @ (here - weights @ here) ** 2)
    bend = float(weights @ ((above - 2 * here + below) / _STEP**2) ** 2)
    return math.sqrt(bend / variance) if variance > 0 else math.inf


def pareto_front(goals: np.ndarray) -> list[bool]:
    """Tell for every candidate whether no other is as good in every goal and better in one.

    Args:
        goals: (P, K), larger is better; one with a NaN is never on the front.

    Example:
        >>> pareto_front(np.array([[0.9, -5], [0.8, -2], [0.7, -4]]))
        [True, True, False]
    """
    found = []
    for row in goals:
        beaten = (goals >= row).all(1) & (goals > row).any(1)
        found.append(bool(np.isfinite(row).all() and not beaten.any()))
    return found
