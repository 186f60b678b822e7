"""Numeric gate: is a function fit to be an activation, that is finite, tame, with known Gaussian moments?"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError

__all__ = ["Moments", "NumericGate", "affine_normalisation", "check_function", "gaussian_moments"]

Curve = Callable[[Tensor], Tensor]

_NODES = 128
_FAR = (1e3, 1e4)
# A standard deviation below this share of the largest value is rounding, not variation.
_SMALLEST_SHARE = 1e-6


@dataclass(frozen=True)
class Moments:
    """Moments of f(X) for X ~ N(0, 1), each of shape (P,): one per parameter value of f; float64.

    Attributes:
        mean: E[f].
        second: E[f^2].
        slope: E[f'^2], the mean-field gain of gradients.

    Example:
        >>> moments = gaussian_moments(torch.square)
        >>> [round(value.item(), 6) for value in (moments.mean, moments.second, moments.slope)]
        [1.0, 3.0, 4.0]
    """

    mean: Tensor
    second: Tensor
    slope: Tensor


@dataclass(frozen=True)
class NumericGate:
    """What the gate found; where f has several parameter values, the largest of each moment.

    Attributes:
        passed: Whether there is no reason against the function.
        reasons: One sentence per failed check.
        mean: E[f] under N(0, 1).
        second: E[f^2] under N(0, 1).
        slope: E[f'^2] under N(0, 1).
        growth: Exponent g of the envelope |f(x)| ~ |x|^g towards large |x|: 1 for ReLU, 2 for x^2, 0 for cos.

    Example:
        >>> gate = check_function(torch.relu)
        >>> gate.passed, gate.reasons, round(gate.second, 2), round(gate.growth, 2)
        (True, (), 0.5, 1.0)
    """

    passed: bool
    reasons: tuple[str, ...]
    mean: float
    second: float
    slope: float
    growth: float


@cache
def _hermite() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes[:, None], (weights / weights.sum())[:, None]


def _quadrature(units: int) -> tuple[Tensor, Tensor]:
    """Return nodes (128, P) and weights (128, 1) of Gauss-Hermite quadrature for N(0, 1)."""
    nodes, weights = _hermite()
    return torch.from_numpy(nodes).expand(-1, units), torch.from_numpy(weights)


def _value_and_slope(function: Curve, x: Tensor) -> tuple[Tensor, Tensor]:
    """Evaluate f and f' at x of shape (N, P); backward mode, because that is what training sees."""
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        value = function(x)
        slope = torch.autograd.grad(value.sum(), x)[0] if value.requires_grad else torch.zeros_like(x)
    return value.detach(), slope


def gaussian_moments(function: Curve, units: int = 1) -> Moments:
    """Compute E[f], E[f^2] and E[f'^2] under N(0, 1) by Gauss-Hermite quadrature with 128 nodes.

    Exact for polynomials up to degree 127 in f; about 1e-3 where f has a kink, such as ReLU's.

    Args:
        function: Maps (N, P) to (N, P) elementwise, in float64.
        units: P, the number of columns it expects.

    Example:
        >>> from axonlight.activations.formula import gaussian_moments
        >>> moments = gaussian_moments(lambda x: 2 * x**2 + x)
        >>> [round(value.item(), 6) for value in (moments.mean, moments.second, moments.slope)]
        [2.0, 13.0, 17.0]
    """
    nodes, weights = _quadrature(units)
    value, slope = _value_and_slope(function, nodes)
    return Moments((weights * value).sum(0), (weights * value**2).sum(0), (weights * slope**2).sum(0))


def affine_normalisation(function: Curve, units: int = 1) -> tuple[Tensor, Tensor]:
    """Return (shift, scale), each (P,): (f - shift) * scale has mean 0 and variance 1 under N(0, 1).

    Raises:
        InputError: If the moments are not finite or f is constant.

    Example:
        >>> from axonlight.activations.formula import affine_normalisation
        >>> shift, scale = affine_normalisation(lambda x: 3 * x + 2)
        >>> round(shift.item(), 6), round(1 / scale.item(), 6)
        (2.0, 3.0)
    """
    nodes, weights = _quadrature(units)
    with torch.no_grad():
        value = function(nodes)
    shift = (weights * value).sum(0)
    deviation = (weights * (value - shift) ** 2).sum(0).sqrt()
    if not bool((torch.isfinite(shift) & torch.isfinite(deviation)).all()):
        raise InputError("normalize is True, but the moments under N(0, 1) are not finite; choose another formula")
    if not bool((deviation > _SMALLEST_SHARE * shift.abs().clamp(min=_SMALLEST_SHARE)).all()):
        raise InputError("normalize is True, but the formula is constant under N(0, 1); choose another formula")
    return shift, 1 / deviation


def check_function(function: Curve, units: int = 1, max_growth: float = 3.0, max_slope: float = 1e4) -> NumericGate:
    """Test value and derivative of an elementwise function, and measure its growth and Gaussian moments.

    Checked in float32 and bfloat16: 2,001 points on [-10, 10], points close to 0, and +-1e3 and +-1e4.

    Args:
        function: Maps (N, P) to (N, P) elementwise, in any floating-point type.
        units: P, the number of columns it expects.
        max_growth: Largest growth exponent let through.
        max_slope: Largest |f'| let through on [-10, 10].

    Example:
        >>> import torch
        >>> from axonlight.activations.formula import check_function
        >>> check_function(torch.tanh).passed
        True
        >>> check_function(lambda x: 1 / x).reasons[0]
        'not finite in float32 at x = 0'
    """
    moments = gaussian_moments(function, units)
    growth = _growth(function, units)
    reasons = [
        *_finiteness(function, units),
        *_steepness(function, units, max_slope),
        *([] if growth <= max_growth else [f"grows like |x|^{growth:.3g}, allowed is |x|^{max_growth:g}"]),
    ]
    second, slope = float(moments.second.max()), float(moments.slope.max())
    if not math.isfinite(second + slope):
        reasons.append("its moments under N(0, 1) are not finite")
    mean = float(moments.mean[moments.mean.abs().argmax()])
    return NumericGate(not reasons, tuple(reasons), mean, second, slope, growth)


def _points(units: int, far: bool) -> Tensor:
    """Return a grid on [-10, 10] that is fine around 0, with or without far points: (N, P) in float64."""
    small = 10.0 ** np.arange(-6, 0)
    outside = np.array([sign * size for size in _FAR for sign in (-1, 1)]) if far else np.empty(0)
    points = np.concatenate([np.linspace(-10, 10, 2001), -small, small, outside])
    return torch.from_numpy(points)[:, None].expand(-1, units)


def _finiteness(function: Curve, units: int) -> list[str]:
    points = _points(units, far=True)
    reasons = []
    for dtype in (torch.float32, torch.bfloat16):
        value, slope = _value_and_slope(function, points.to(dtype))
        name = str(dtype).removeprefix("torch.")
        for what, tensor in (("", value), ("derivative ", slope)):
            bad = (~torch.isfinite(tensor)).any(1)
            if bad.any():
                reasons.append(f"{what}not finite in {name} at x = {points[bad][0, 0]:g}")
                break
    return reasons


def _steepness(function: Curve, units: int, max_slope: float) -> list[str]:
    points = _points(units, far=False)
    _, slope = _value_and_slope(function, points)
    largest, index = slope.abs().amax(1).max(0)
    if largest <= max_slope:
        return []
    return [f"its slope reaches {largest:.3g} at x = {points[index, 0]:g}, allowed is {max_slope:g}"]


def _envelope(function: Curve, size: float, units: int) -> float:
    """Return the largest |f| for |x| between half of `size` and `size`: one point may hit a sine's zero."""
    side = np.linspace(size / 2, size, 257)
    points = torch.from_numpy(np.concatenate([-side, side]))[:, None].expand(-1, units)
    with torch.no_grad():
        return float(function(points).abs().max())


def _growth(function: Curve, units: int) -> float:
    sizes = (10.0, *_FAR)
    # Below 1 a function has not begun to grow: exp(-x^2) must not count as growth from 1e-40 to 1e-30.
    envelopes = [max(_envelope(function, size, units), 1.0) for size in sizes]
    if not all(map(math.isfinite, envelopes)):
        return math.inf
    pairs = zip(zip(sizes, envelopes, strict=True), zip(sizes[1:], envelopes[1:], strict=True), strict=False)
    return max(math.log(high / low) / math.log(far / near) for (near, low), (far, high) in pairs)
