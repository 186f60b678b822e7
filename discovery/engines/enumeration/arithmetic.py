"""Values of formulas together with a bound of their rounding error.

Each operation of a formula adds its own rounding and passes on that of its operands: the running error analysis
of Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.3. So "equal" needs no
cut-off chosen by hand: two values are told apart when they differ by more than both could be wrong.

Legend of shapes: C candidates, M points.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from ....activations.formula.operators import ARITY, FUNCTIONS, Operand

__all__ = ["ENUMERABLE", "apply"]

# What one operation may be wrong by, as a share of its result: four roundings, which covers the vector library's
# transcendental functions.
_UNIT = 4 * 2.0**-53
# Values below this are the same: products of small numbers underflow.
_TINY = 1e-30
_SMOOTHING = 1e-6  # the epsilon of the protected functions
_LARGEST_LOGARITHM = 40.0


def _lipschitz(value: Tensor, a: Tensor, error: Tensor) -> Tensor:
    return error


def _by_slope(
    slope: Callable[[Tensor, Tensor], Tensor], curvature: float
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return |f'| e + max|f''| e^2, a Taylor bound of |f(a + e) - f(a)|."""
    return lambda value, a, error: (slope(value, a).abs() + curvature * error) * error


def _exp(value: Tensor, a: Tensor, error: Tensor) -> Tensor:
    clamped = a - error > _LARGEST_LOGARITHM
    return torch.where(clamped, 0.0, value * torch.expm1(error.clamp(max=_LARGEST_LOGARITHM)))


def _inv_slope(value: Tensor, a: Tensor) -> Tensor:
    square = a * a
    return (_SMOOTHING - square) / (square + _SMOOTHING) ** 2


def _tan_slope(value: Tensor, a: Tensor) -> Tensor:
    cosine = torch.cos(a) ** 2
    return (cosine * (1 + 2 * _SMOOTHING) - _SMOOTHING) / (cosine + _SMOOTHING) ** 2


# How the error of the operand arrives in the result. Curvature: the largest |f''|, or a little more.
_UNARY: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        "abs": _lipschitz,
        "cos": _lipschitz,
        "erf": _by_slope(lambda value, a: 1.13 * torch.exp(-a * a), 1.0),
        "exp": _exp,
        "inv": _by_slope(_inv_slope, 2e9),
        "log": _by_slope(lambda value, a: a / (a * a + _SMOOTHING), 1e6),
        "neg": _lipschitz,
        "relu": _lipschitz,
        "sigmoid": _by_slope(lambda value, a: value * (1 - value), 0.1),
        "sin": _lipschitz,
        "softplus": _by_slope(lambda value, a: torch.sigmoid(a), 0.25),
        "sqrt": _by_slope(lambda value, a: 0.5 * a / (a * a + _SMOOTHING) ** 0.75, 2e4),
        "square": lambda value, a, error: (2 * a.abs() + error) * error,
        "tan": _by_slope(_tan_slope, 2e9),
        "tanh": _by_slope(lambda value, a: 1 - value * value, 0.8),
    }
)


def _sum(a: Operand, b: Operand, first: Operand, second: Operand) -> Operand:
    return first + second


def _product(a: Operand, b: Operand, first: Operand, second: Operand) -> Operand:
    return abs(a) * second + abs(b) * first + first * second


def _larger(a: Operand, b: Operand, first: Operand, second: Operand) -> Tensor:
    return torch.maximum(torch.as_tensor(first), torch.as_tensor(second))


def _quotient(a: Operand, b: Operand, first: Operand, second: Operand) -> Operand:
    if not isinstance(b, Tensor):
        return first / abs(b)
    inverse = FUNCTIONS["smooth"]["inv"](b)
    passed = _UNARY["inv"](inverse, b, second)  # type: ignore[arg-type]
    return _product(a, inverse, first, passed + _UNIT * abs(inverse))


_BINARY: Mapping[str, Callable[[Operand, Operand, Operand, Operand], Operand]] = MappingProxyType(
    {"add": _sum, "div": _quotient, "max": _larger, "min": _larger, "mul": _product, "sub": _sum}
)

# A power is a product or a square; with a variable exponent it is exp(b * log(a)).
ENUMERABLE: tuple[str, ...] = tuple(sorted([*_UNARY, *_BINARY]))


def apply(name: str, operands: list[Operand], errors: list[Operand]) -> tuple[Tensor, Tensor]:
    """Return the values of one operation and the bounds of their errors, each (C, M), float64.

    Args:
        name: One of `ENUMERABLE`.
        operands: Values, (C, M) each, or a number.
        errors: Bounds of the operands' errors, (C, M) each, or 0 for a number.

    Example:
        >>> from axonlight.discovery.engines.enumeration.arithmetic import apply
        >>> value, error = apply("mul", [torch.tensor([[3.0]]), 2.0], [torch.tensor([[1e-3]]), 0.0])
        >>> value.item(), round(error.item(), 6)
        (6.0, 0.002)
    """
    value: Tensor = FUNCTIONS["smooth"][name](*operands)  # type: ignore[assignment]
    if ARITY[name] == 1:
        passed = _UNARY[name](value, operands[0], errors[0])  # type: ignore[arg-type]
    else:
        passed = _BINARY[name](operands[0], operands[1], errors[0], errors[1])
    return value, passed + _UNIT * value.abs() + _TINY
