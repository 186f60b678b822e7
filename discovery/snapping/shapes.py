"""The formulas that a curve may be snapped to, and which of them have its shape, whatever the affine map around them.

Legend of shapes: P formulas, M points of the table, T affine maps of the input, K curves, N points of a curve.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from ...activations.formula import compile_program, constant_names, count_nodes, parse_formula
from ...errors import InputError
from ..curve_table import CurveTable
from ..engines.enumeration import Enumeration
from .seen import LearnedCurves

__all__ = ["DEFAULT_OPERATORS", "Shape", "ShapeLibrary", "default_library"]

# Beside the published set: what the smooth activations in use are made of.
DEFAULT_OPERATORS = ("add", "sub", "mul", "abs", "cos", "erf", "exp", "relu", "sigmoid", "sin", "softplus", "tanh")
DEFAULT_NODES = 6

_REACH, _STEP = 10.0, 0.1
_SCALES = np.concatenate([sign * 2.0 ** np.arange(-2, 2.5, 0.5) for sign in (1, -1)])
_SHIFTS = np.arange(-2, 2.5, 0.5)
# A map under which more than this share of the curve's weight leaves the table is not looked at.
_MOST_LOST = 0.02
# A layer of many curves is screened by some of them.
_MOST_SCREENED = 8
_STARTS = 2
# Inputs that reach no further than the second and at least as far as the first are looked at as they are.
_USUAL_REACH = (0.5, 20.0)
_ROUNDING = 9
_FLAT, _TINY = 1e-9, 1e-300
_BRACKETS = re.compile(r"[a-z0-9]*\(|\)")
_BLOCK = 4096  # formulas at once: the products of more would leave the caches


@dataclass(frozen=True)
class Shape:
    """One formula of the library and where its affine fit to some curves may start.

    Attributes:
        formula: Its text.
        length: See `length_of`.
        inner: Scales and shifts of its input to start from, (S, 2).
        unexplained: Share of the curves' variance that the screening left, at the best start.
    """

    formula: str
    length: int
    inner: np.ndarray
    unexplained: float

    @cached_property
    def function(self) -> Callable[[np.ndarray], np.ndarray]:
        """The values of the formula at float64 points."""
        program = compile_program(parse_formula(self.formula))
        return lambda x: program.run(torch.from_numpy(np.ascontiguousarray(x)), []).numpy()


class ShapeLibrary:
    """Formulas, told apart by shape: of those that differ by an affine map of their values alone, the shortest stays.

    Args:
        formulas: Texts without named constants, shortest first.
        nodes: Nodes of each, if they are known already: to count them takes longer than all else.

    Raises:
        InputError: If there is none, or one is no formula or has named constants.

    Example:
        >>> from axonlight.discovery.snapping import ShapeLibrary
        >>> library = ShapeLibrary(["x", "x*cos(x)", "x - x*cos(x)", "x*cos(x) + x*cos(x)"])
        >>> library.formulas
        ('x', 'x*cos(x)', 'x - x*cos(x)')
    """

    def __init__(self, formulas: Sequence[str], nodes: Sequence[int] | None = None) -> None:
        counts = _checked_nodes(formulas) if nodes is None else nodes
        lengths = np.array([length_of(text, count) for text, count in zip(formulas, counts, strict=True)])
        table = CurveTable(formulas, np.arange(-_REACH, _REACH + _STEP / 2, _STEP))
        with np.errstate(all="ignore"):
            centred = table.values - table.values.mean(1, keepdims=True)
            deviation = centred.std(1, keepdims=True)
            values = centred / deviation
        usable = np.isfinite(values).all(1) & (deviation[:, 0] > _FLAT)
        kept = _distinct(values, np.flatnonzero(usable))
        self.grid, self.values = table.grid, values[kept]
        self.formulas = tuple(table.formulas[index] for index in kept)
        self.lengths = lengths[kept]

    def __len__(self) -> int:
        return len(self.formulas)

    def nearest(self, curves: LearnedCurves, per_length: int) -> list[Shape]:
        """Return, for every length, the formulas that fit the curves best, the shortest and best first.

        All of them are compared, each under the same coarse grid of scales and shifts of the input, with the best
        scale and shift of the output.
        """
        chosen = np.unique(np.linspace(0, len(curves) - 1, min(len(curves), _MOST_SCREENED)).astype(int))
        screened = [_unexplained(self, curves.part(np.array([index]))) for index in chosen]
        best = np.mean([shares.min(1) for shares, _ in screened], axis=0)
        found = []
        for length in np.unique(self.lengths):
            members = np.flatnonzero(self.lengths == length)
            for index in members[np.argsort(best[members], kind="stable")[:per_length]]:
                starts = np.concatenate([maps[np.argsort(shares[index])[:_STARTS]] for shares, maps in screened])
                found.append(Shape(self.formulas[index], int(length), np.unique(starts, axis=0), float(best[index])))
        return found


def length_of(text: str, nodes: int) -> int:
    """Return the nodes of a formula, and one more for every function inside another: f(g(x)) is harder to read.

    Example:
        >>> from axonlight.discovery.snapping.shapes import length_of
        >>> length_of("x*sigmoid(x)", 4), length_of("x*tanh(softplus(x))", 5), length_of("cos(x - cos(x))", 5)
        (4, 6, 6)
    """
    extra, open_functions, brackets = 0, 0, []
    for found in _BRACKETS.finditer(text):
        if found.group() == ")":
            open_functions -= brackets.pop()
            continue
        is_function = len(found.group()) > 1
        extra += is_function and open_functions > 0
        open_functions += is_function
        brackets.append(is_function)
    return nodes + extra


def _checked_nodes(formulas: Sequence[str]) -> list[int]:
    trees = [parse_formula(text) for text in formulas]
    for text, tree in zip(formulas, trees, strict=True):
        if names := constant_names(tree):
            raise InputError(
                f"the library's formula {text!r:.60} has the constant {names[0]}; formulas to snap to are functions of "
                "x alone, constants are fitted around them"
            )
    return [count_nodes(tree) for tree in trees]


def _distinct(values: np.ndarray, usable: np.ndarray) -> list[int]:
    """Return the first row of each shape; a row and its negative are one."""
    seen: set[bytes] = set()
    kept = []
    for index in usable:
        row = values[index] * np.sign(values[index][np.argmax(np.abs(values[index]) > 0.1)])
        key = (np.round(row, _ROUNDING) + 0.0).tobytes()
        if key not in seen:
            seen.add(key)
            kept.append(int(index))
    return kept


def _unexplained(library: ShapeLibrary, curve: LearnedCurves) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of one curve's variance that each formula leaves under each map, (P, T), and the maps (T, 2).

    Instead of the formulas at a*x + b, the curve is read at (u - b)/a on the table's points u: every map is then a
    column of one matrix product.
    """
    maps, targets, weights = [], [], []
    density = curve.weight[0] / (curve.x[0, 1] - curve.x[0, 0])
    for scale in _SCALES * _unit(curve):
        for shift in _SHIFTS:
            points = (library.grid - shift) / scale
            weight = np.interp(points, curve.x[0], density, left=0, right=0) * _STEP / abs(scale)
            if weight.sum() > 1 - _MOST_LOST:
                maps.append((scale, shift))
                targets.append(np.interp(points, curve.x[0], curve.y[0]))
                weights.append(weight / weight.sum())
    target, weight = np.stack(targets, 1), np.stack(weights, 1)
    target = target - (weight * target).sum(0)
    variance = np.maximum((weight * target**2).sum(0), _TINY)
    left = np.empty((len(library), len(maps)))
    for start in range(0, len(library), _BLOCK):
        values = library.values[start : start + _BLOCK]
        mean, second, product = values @ weight, values**2 @ weight, values @ (weight * target)
        spread = np.maximum(second - mean**2, 1e-12 * second + _TINY)
        left[start : start + _BLOCK] = 1 - product**2 / (spread * variance)
    return left, np.array(maps)


def _unit(curve: LearnedCurves) -> float:
    """Return the scale that the scales of the input are multiples of: 1 unless the inputs are far off the usual."""
    reach = float(np.abs(curve.x).max())
    return 1.0 if _USUAL_REACH[0] <= reach <= _USUAL_REACH[1] else _REACH / 4 / reach


@lru_cache(maxsize=4)
def default_library(max_nodes: int = DEFAULT_NODES, operators: tuple[str, ...] = DEFAULT_OPERATORS) -> ShapeLibrary:
    """Return the complete library of formulas of x up to a number of nodes.

    Example:
        >>> from axonlight.discovery.snapping import default_library
        >>> "x * cos(x)" in default_library(4, ("add", "mul", "cos")).formulas
        True
    """
    found = Enumeration(max_nodes, operators).propose(None, seed=0)
    return ShapeLibrary([each.formula for each in found], [each.nodes for each in found])
