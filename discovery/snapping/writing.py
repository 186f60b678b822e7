"""A formula with the affine maps around it, as text: with named constants to train, or with their numbers to read."""

import re

import numpy as np

from ...activations.formula import Constant, Node, Number, Operation, Variable, parse_formula

__all__ = ["NAMES", "shortened", "with_names", "with_numbers"]

NAMES = ("a", "b", "c", "d")


def with_names(formula: str, needed: list[int]) -> str:
    """Return the text of c*f(a*x + b) + d with the needed ones of a, b, c, d as names.

    Example:
        >>> from axonlight.discovery.snapping.writing import with_names
        >>> with_names("x*cos(x)", [0, 3])
        'a * x * cos(a * x) + d'
    """
    return _text(formula, {index: Constant(NAMES[index]) for index in needed})


def with_numbers(formula: str, constants: np.ndarray, needed: list[int]) -> str:
    """Return the same with the numbers themselves, (4,), in full precision.

    Example:
        >>> import numpy as np
        >>> from axonlight.discovery.snapping.writing import with_numbers
        >>> with_numbers("x*cos(x)", np.array([1.0, 0.0, -1.0, 0.5]), [2, 3])
        '-(x * cos(x)) + 0.5'
    """
    return _text(formula, {index: Number(float(constants[index])) for index in needed})


def shortened(text: str) -> str:
    """Return the text of a formula with its numbers to four digits, for tables and figures.

    Example:
        >>> from axonlight.discovery.snapping.writing import shortened
        >>> shortened("0.7071067811865476 * x - 1")
        '0.7071 * x - 1'
    """
    return re.sub(r"\d+\.\d+(e[+-]?\d+)?", lambda found: f"{float(found.group()):.4g}", text)


def _text(formula: str, constants: dict[int, Node]) -> str:
    inner = _affine(Variable(), constants.get(0), constants.get(1))
    return str(_affine(_substituted(parse_formula(formula), inner), constants.get(2), constants.get(3)))


def _affine(node: Node, factor: Node | None, shift: Node | None) -> Node:
    if factor == Number(-1.0):
        node = Operation("neg", (node,))
    elif factor is not None:
        node = Operation("mul", (factor, node))
    if isinstance(shift, Number) and shift.value < 0:
        return Operation("sub", (node, Number(-shift.value)))
    return node if shift is None else Operation("add", (node, shift))


def _substituted(node: Node, inner: Node) -> Node:
    if isinstance(node, Variable):
        return inner
    if isinstance(node, Operation):
        return Operation(node.name, tuple(_substituted(operand, inner) for operand in node.operands))
    return node
