"""What each function of the grammar computes, once per protection mode.

Operands are tensors or Python floats (number literals), at least one of them a tensor: no tensor is created
from a number during the forward pass, so the same code runs on every device and in one compiled graph.

Two modes: `smooth` (default) replaces singular functions by smooth ones that agree with them away from the
singularity; `gplearn` reproduces the protected functions of gplearn 0.4.3, jumps included, with finite
gradients.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["ARITY", "FUNCTIONS", "NUMBERS", "Operand", "Protection"]

Operand = Tensor | float
Protection = Literal["smooth", "gplearn"]

# gplearn's threshold, and its square: inv, log and sqrt turn where the protected originals jump.
_THRESHOLD = 1e-3
_EPSILON = _THRESHOLD**2
# exp(40) = 2.4e17: its square and its product with 1e4 are still finite in float32 and bfloat16.
_MAX_LOGARITHM = 40.0


def _add(a: Operand, b: Operand) -> Operand:
    return a + b


def _sub(a: Operand, b: Operand) -> Operand:
    return a - b


def _mul(a: Operand, b: Operand) -> Operand:
    return a * b


def _neg(a: Tensor) -> Tensor:
    return -a


def _square(a: Tensor) -> Tensor:
    return a * a


def _exp(a: Tensor) -> Tensor:
    return torch.exp(torch.clamp(a, max=_MAX_LOGARITHM))


def _max(a: Operand, b: Operand) -> Tensor:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    return torch.clamp(a, min=b) if isinstance(a, Tensor) else torch.clamp(b, min=a)  # type: ignore[arg-type]


def _min(a: Operand, b: Operand) -> Tensor:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.minimum(a, b)
    return torch.clamp(a, max=b) if isinstance(a, Tensor) else torch.clamp(b, max=a)  # type: ignore[arg-type]


def _smooth_inv(a: Tensor) -> Tensor:
    return a / (a * a + _EPSILON)


def _smooth_div(a: Operand, b: Operand) -> Operand:
    if isinstance(b, Tensor):
        return a * _smooth_inv(b)
    return a / b  # a number needs no protection: zero is refused when the formula is read


def _smooth_log(a: Tensor) -> Tensor:
    return 0.5 * torch.log(a * a + _EPSILON)


def _smooth_sqrt(a: Tensor) -> Tensor:
    return (a * a + _EPSILON) ** 0.25


def _smooth_tan(a: Tensor) -> Tensor:
    cosine = torch.cos(a)
    return torch.sin(a) * cosine / (cosine * cosine + _EPSILON)


def _gplearn_div(a: Operand, b: Operand) -> Operand:
    if isinstance(b, Tensor):
        near = ~(torch.abs(b) > _THRESHOLD)
        # The operand is sanitised as well as the result: no NaN or infinite gradient from where 1 is chosen.
        return torch.masked_fill(a / torch.masked_fill(b, near, 1.0), near, 1.0)
    return a / b if abs(b) > _THRESHOLD else torch.ones_like(a)  # type: ignore[arg-type]


def _gplearn_inv(a: Tensor) -> Tensor:
    near = ~(torch.abs(a) > _THRESHOLD)
    return torch.masked_fill(1.0 / torch.masked_fill(a, near, 1.0), near, 0.0)


def _gplearn_log(a: Tensor) -> Tensor:
    near = ~(torch.abs(a) > _THRESHOLD)
    # log(1) is the 0 that gplearn chooses here.
    return torch.log(torch.abs(torch.masked_fill(a, near, 1.0)))


def _gplearn_sqrt(a: Tensor) -> Tensor:
    zero = a == 0
    return torch.masked_fill(torch.sqrt(torch.abs(torch.masked_fill(a, zero, 1.0))), zero, 0.0)


def _integer_power(base: Tensor, exponent: int) -> Tensor:
    """Multiply repeatedly: exact for negative bases, where `pow` may go through the logarithm."""
    result: Tensor | None = None
    while exponent:
        if exponent & 1:
            result = base if result is None else result * base
        exponent >>= 1
        if exponent:
            base = base * base
    return torch.ones_like(base) if result is None else result


def _power(base: Operand, exponent: Operand, inverse: Callable[[Tensor], Tensor]) -> Tensor:
    """Raise to a power; a fractional or variable exponent sees sqrt(base^2 + eps) instead of the base."""
    if isinstance(base, Tensor) and not isinstance(exponent, Tensor):
        size = abs(exponent)
        whole = size == int(size)
        result = _integer_power(base, int(size)) if whole else (base * base + _EPSILON) ** (size / 2)
        return result if exponent >= 0 else inverse(result)
    if isinstance(base, Tensor):
        logarithm: Operand = _smooth_log(base)
    else:
        logarithm = math.log(base) if base > 0 else 0.5 * math.log(base * base + _EPSILON)
    return _exp(exponent * logarithm)  # type: ignore[arg-type]


def _smooth_pow(base: Operand, exponent: Operand) -> Tensor:
    return _power(base, exponent, _smooth_inv)


def _gplearn_pow(base: Operand, exponent: Operand) -> Tensor:
    return _power(base, exponent, _gplearn_inv)


_SMOOTH: dict[str, Callable[..., Operand]] = {
    "abs": torch.abs,
    "add": _add,
    "cos": torch.cos,
    "div": _smooth_div,
    "erf": torch.erf,
    "exp": _exp,
    "inv": _smooth_inv,
    "log": _smooth_log,
    "max": _max,
    "min": _min,
    "mul": _mul,
    "neg": _neg,
    "pow": _smooth_pow,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "sin": torch.sin,
    "softplus": F.softplus,
    "sqrt": _smooth_sqrt,
    "square": _square,
    "sub": _sub,
    "tan": _smooth_tan,
    "tanh": torch.tanh,
}
_GPLEARN: dict[str, Callable[..., Operand]] = {
    **_SMOOTH,
    "div": _gplearn_div,
    "inv": _gplearn_inv,
    "log": _gplearn_log,
    "pow": _gplearn_pow,
    "sqrt": _gplearn_sqrt,
    "tan": torch.tan,
}

# Parts without x or constants are ordinary arithmetic, except that gplearn protects those too.
_PLAIN: dict[str, Callable[..., Operand]] = {
    **_SMOOTH,
    "div": torch.div,
    "exp": torch.exp,
    "inv": torch.reciprocal,
    "log": torch.log,
    "pow": torch.pow,
    "sqrt": torch.sqrt,
    "tan": torch.tan,
}

FUNCTIONS: Mapping[str, Mapping[str, Callable[..., Operand]]] = MappingProxyType(
    {"smooth": MappingProxyType(_SMOOTH), "gplearn": MappingProxyType(_GPLEARN)}
)
NUMBERS: Mapping[str, Mapping[str, Callable[..., Operand]]] = MappingProxyType(
    {"smooth": MappingProxyType(_PLAIN), "gplearn": MappingProxyType(_GPLEARN)}
)
_BINARY = frozenset({"add", "sub", "mul", "div", "max", "min", "pow"})
ARITY: Mapping[str, int] = MappingProxyType({name: 2 if name in _BINARY else 1 for name in sorted(_SMOOTH)})
