"""Rational activations: a learned quotient of polynomials whose denominator cannot vanish.

Shapes: x any; numerator (M + 1, ...) and denominator (N, ...) hold one coefficient per power in dimension 0,
the others broadcast with x.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import InputError
from .base import Activation
from .numerics import widen
from .rational_fit import fit_rational

__all__ = ["RationalActivation", "rational"]

# x^8 of 1e4 still fits into float32.
_HIGHEST_DEGREE = 8


def _horner(coefficients: Sequence[Tensor], x: Tensor) -> Tensor:
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


def _slope(coefficients: Sequence[Tensor], x: Tensor) -> Tensor:
    """Evaluate the derivative of the polynomial with these coefficients."""
    return _horner([power * coefficient for power, coefficient in enumerate(coefficients)][1:], x)


class _Rational(torch.autograd.Function):
    """Keeps x and the coefficients only; the steps of Horner's scheme are computed again in backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, numerator: Tensor, denominator: Tensor, absolute_terms: bool) -> Tensor:
        terms, base = (denominator.abs(), x.abs()) if absolute_terms else (denominator, x)
        return _horner(numerator.unbind(), x) / (1 + (base * _horner(terms.unbind(), base)).abs())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, numerator, denominator, ctx.absolute_terms = inputs
        ctx.save_for_backward(x, numerator, denominator)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        # Written with differentiable operators, so that a second derivative works.
        x, numerator, denominator = ctx.saved_tensors
        terms, base = (denominator.abs(), x.abs()) if ctx.absolute_terms else (denominator, x)
        top = numerator.unbind()
        bottom = [torch.zeros_like(terms[0]), *terms.unbind()]
        inner = _horner(bottom, base)
        sign = torch.sign(inner)
        whole = 1 + inner.abs()
        scaled = grad_outputs[0] / whole
        value = _horner(top, x) / whole
        inner_slope = sign * _slope(bottom, base) * (torch.sign(x) if ctx.absolute_terms else 1)
        grad_x = scaled * (_slope(top, x) - value * inner_slope)
        grad_numerator = _sum_powers(scaled, x, numerator, first_power=0)
        grad_denominator = _sum_powers(-scaled * value * sign, base, denominator, first_power=1)
        if ctx.absolute_terms:
            grad_denominator = grad_denominator * torch.sign(denominator)
        return grad_x, grad_numerator, grad_denominator, None


def _sum_powers(weight: Tensor, x: Tensor, like: Tensor, first_power: int) -> Tensor:
    """Sum weight * x^j over what each coefficient was broadcast to, for one j per row of `like`."""
    sums = []
    for power in range(len(like) + first_power):
        if power:
            weight = weight * x
        if power >= first_power:
            sums.append(weight.sum_to_size(like.shape[1:]))
    return torch.stack(sums)


def rational(x: Tensor, numerator: Tensor, denominator: Tensor, version: str = "A") -> Tensor:
    """Compute P(x) / Q(x) with P = sum a_j x^j and a denominator Q >= 1.

    Args:
        x: Any shape.
        numerator: (M + 1, ...) coefficients a_0 ... a_M.
        denominator: (N, ...) coefficients b_1 ... b_N.
        version: "A": Q = 1 + sum |b_j x^j|; "B": Q = 1 + |sum b_j x^j|.

    Returns:
        Tensor of the shape and type of `x`.

    Example:
        >>> rational(torch.tensor([2.0]), torch.tensor([0.0, 3.0]), torch.tensor([-1.0]))
        tensor([2.])
    """
    wide = widen(x)
    coefficients = (numerator.to(wide.dtype), denominator.to(wide.dtype))
    return _Rational.apply(wide, *coefficients, version == "A").to(x.dtype)  # pyright: ignore[reportOptionalMemberAccess]


class RationalActivation(Activation):
    """A learned rational function: polynomial over a denominator that is at least 1 (Padé activation unit).

    It starts as a least-squares fit to a named function on [-3, 3]. Only the input is kept for the backward
    pass, not one tensor per power.

    Shapes: any, output as input; coefficients differ between units along `unit_dimension`.

    Limitations: beyond [-3, 3] the start only follows the named function's general direction. First and
    second derivatives by reverse mode; no forward-mode derivative.

    Args:
        init: Function to start from: relu, leaky_relu, silu, gelu, mish, elu, tanh, sigmoid, softplus,
            identity, or the text of a formula of x, such as x*cos(x).
        degrees: Degrees (M, N) of numerator and denominator, each from 1 to 8.
        version: "A": 1 + sum |b_j x^j|; "B": 1 + |sum b_j x^j|.
        num_parameters: Curves: 1, or one per unit.
        groups: One label per unit; units of one label share a curve.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.

    Raises:
        InputError: If `init`, `degrees` or `version` is not one of those.

    Source: Molina, Schramowski and Kersting, "Padé activation units", arXiv 1907.06732 (the safe PAU is
    version B).

    Example:
        >>> curve = RationalActivation(init="tanh")
        >>> bool((curve(torch.tensor([0.5])) - torch.tanh(torch.tensor([0.5]))).abs() < 0.01)
        True
    """

    def __init__(
        self,
        init: str = "leaky_relu",
        degrees: tuple[int, int] = (5, 4),
        version: Literal["A", "B"] = "A",
        *,
        num_parameters: int = 1,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        if len(degrees) != 2 or not all(1 <= degree <= _HIGHEST_DEGREE for degree in degrees):
            raise InputError(f"degrees is {degrees}; it must be two integers from 1 to {_HIGHEST_DEGREE}")
        if version not in ("A", "B"):
            raise InputError(f"version is {version!r}; it must be 'A' or 'B'")
        self.version = version
        numerator, denominator = fit_rational(init, *degrees, version)
        dtype = torch.get_default_dtype()
        # One row per curve: (P, M + 1) and (P, N).
        self.numerator = nn.Parameter(torch.tensor(numerator, dtype=dtype).repeat(self.num_parameters, 1))
        self.denominator = nn.Parameter(torch.tensor(denominator, dtype=dtype).repeat(self.num_parameters, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        numerator, denominator = (
            torch.stack([self.per_unit(power, x) for power in rows.unbind(1)])
            for rows in (self.numerator, self.denominator)
        )
        return rational(x, numerator, denominator, self.version)
