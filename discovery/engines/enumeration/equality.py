"""When two formulas are one function: the rule, its grid, and the search for equals among many.

Legend of shapes: C curves, M points, K points of the core.
"""

import math
from functools import cache

import torch
from torch import Tensor

__all__ = ["CORE", "find_equals", "grid", "resolved"]

_POINTS = 256
_REACH = 12.0
CORE = 16
_CORE_REACH = 1.25
# A point counts only where the bound of the rounding error is below this share of max(1, |value|).
_KNOWN = 1e-7
# Equal values may differ by the sum of their bounds; twice that leaves room for second-order terms.
_ROOM = 2.0


@cache
def grid() -> Tensor:
    """Return the points at which formulas are compared, float64 (256,).

    The first 16, the core, lie in [-1.25, 1.25], where almost every formula is well conditioned; the others in
    [-12, 12], because functions with abs, relu or max may differ only far from 0 (sin|x| and |sin x| are equal
    up to |x| = pi). They follow the golden ratio: no symmetry, no multiple of anything.

    Example:
        >>> from axonlight.discovery.engines.enumeration.equality import grid
        >>> grid().shape, bool(grid().abs().max() < 12)
        (torch.Size([256]), True)
    """
    steps = torch.arange(1, _POINTS + 1, dtype=torch.float64)
    uniform = 2 * (steps * ((math.sqrt(5) - 1) / 2)).frac() - 1
    return uniform * torch.where(steps <= CORE, _CORE_REACH, _REACH)


def resolved(values: Tensor, errors: Tensor) -> Tensor:
    """Tell at which points a curve is known well enough to be compared, (C, M)."""
    return torch.isfinite(values) & (errors <= _KNOWN * values.abs().clamp(min=1.0))


def find_equals(values: Tensor, errors: Tensor) -> Tensor:
    """Return for each curve the index of the first curve that is the same function, (C,); its own if none.

    Two curves are the same unless some point tells them apart: both are known there to 7 digits, and the values
    differ by more than twice the sum of the bounds of their rounding errors. Errors must be infinite where a
    curve is not `resolved`, and every curve must be resolved on the core.

    Args:
        values: (C, M), finite.
        errors: Bounds of the rounding errors, (C, M).

    Example:
        >>> from axonlight.discovery.engines.enumeration.equality import find_equals, grid
        >>> x = grid()
        >>> values = torch.stack([x, x + 1e-15, x.abs()])
        >>> find_equals(values, torch.full_like(values, 1e-15)).tolist()
        [0, 0, 2]
    """
    clusters = _clusters(values[:, :CORE], errors[:, :CORE])
    equals = torch.arange(len(values))
    waiting = equals.clone()
    # Each round compares all curves of a cluster with its first; those that differ go on to the next round.
    while len(waiting):
        first = torch.full((len(values),), len(values)).scatter_reduce(0, clusters[waiting], waiting, "amin")
        leaders = first[clusters[waiting]]
        others = waiting != leaders
        waiting, leaders = waiting[others], leaders[others]
        same = _same(values, errors, waiting, leaders)
        equals[waiting[same]] = leaders[same]
        waiting = waiting[~same]
    return equals


def _same(values: Tensor, errors: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Compare pairs of curves, some at a time so that memory stays bounded."""
    results = [torch.empty(0, dtype=torch.bool)]
    for a, b in zip(first.split(1 << 15), second.split(1 << 15), strict=True):
        room = _ROOM * (errors[a] + errors[b])
        results.append(((values[a] - values[b]).abs() <= room).all(1))
    return torch.cat(results)


def _clusters(values: Tensor, errors: Tensor) -> Tensor:
    """Number curves so that equal ones surely share a number, from a weighted sum over the core: (C,).

    The sum lies in an interval given by its error; intervals that overlap, directly or through others, form a
    cluster. Large values are compressed so that one of them does not drown the others.
    """
    weights = 1 + (torch.arange(1, values.shape[1] + 1, dtype=torch.float64) * math.sqrt(2)).frac()
    centre = torch.asinh(values) @ weights
    radius = _ROOM * (errors / torch.sqrt(1 + (values.abs() - errors).clamp(min=0) ** 2)) @ weights
    # the sum rounds too
    radius = radius + 1e-13 * (1 + centre.abs())
    low, order = (centre - radius).sort(stable=True)
    reach = (centre + radius)[order].cummax(0).values
    starts = torch.cat([torch.zeros(1, dtype=torch.bool), low[1:] > reach[:-1]])
    clusters = torch.empty(len(values), dtype=torch.long)
    clusters[order] = starts.cumsum(0)
    return clusters
