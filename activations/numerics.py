"""Shared by the activations: half precision is computed in float32, curves are known by name."""

from collections.abc import Callable
from difflib import get_close_matches

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import InputError
from .formula.grammar import parse_formula
from .formula.program import compile_program

__all__ = ["known_curve", "widen"]

_CURVES: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": F.elu,
    "gelu": F.gelu,
    "identity": torch.clone,
    "leaky_relu": F.leaky_relu,
    "mish": F.mish,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
}


def widen(x: Tensor) -> Tensor:
    """Return `x` in float32 if it is float16 or bfloat16, else `x` itself.

    Products and sums of half-precision numbers overflow or lose the gate's last bits; memory traffic, not
    arithmetic, decides the speed of an activation, so computing wide costs next to nothing once compiled.
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def known_curve(name: str) -> Callable[[Tensor], Tensor]:
    """Return the elementwise function from which a trainable curve starts.

    Args:
        name: A name, or the text of a formula of x without named constants.

    Raises:
        InputError: If it is neither.

    Example:
        >>> known_curve("relu")(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
        >>> known_curve("x*x")(torch.tensor([-1.0, 2.0]))
        tensor([1., 4.])
    """
    if name in _CURVES:
        return _CURVES[name]
    if not str(name).isidentifier():
        program = compile_program(parse_formula(name))
        if program.constants:
            raise InputError(
                f"init is {name!r:.60}, which has the constant {program.constants[0]}; write its value instead"
            )
        return lambda x: program.run(x, [])
    nearest = get_close_matches(str(name), _CURVES, n=1)
    hint = f" (did you mean {nearest[0]}?)" if nearest else ""
    raise InputError(f"init is {name!r}; it must be one of {', '.join(_CURVES)}{hint}, or a formula of x")
