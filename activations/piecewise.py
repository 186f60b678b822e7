"""PWLU: a learned piecewise linear curve."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import InputError
from .base import Activation
from .numerics import known_curve, widen

__all__ = ["PWLU", "piecewise_linear"]


def piecewise_linear(
    x: Tensor, heights: Tensor, left_slope: Tensor, right_slope: Tensor, unit: Tensor, bound: float
) -> Tensor:
    """Evaluate one piecewise linear curve per unit.

    Args:
        x: Any shape.
        heights: (P, N + 1) values at N + 1 equally spaced knots on [-bound, bound].
        left_slope: (P,) slope left of -bound.
        right_slope: (P,) slope right of bound.
        unit: Integer curve index that broadcasts with `x`.
        bound: Positive end of the knots.

    Returns:
        Tensor of the shape and type of `x`.

    Example:
        >>> heights = torch.tensor([[0.0, 0.0, 1.0]])
        >>> flat, steep, unit = torch.zeros(1), torch.ones(1), torch.zeros(1, dtype=torch.long)
        >>> piecewise_linear(torch.tensor([-9.0, 0.5, 3.0]), heights, flat, steep, unit, bound=1.0)
        tensor([0.0000, 0.5000, 3.0000])
    """
    wide = widen(x)
    intervals = heights.shape[1] - 1
    step = 2 * bound / intervals
    # Piece 0 lies left of the knots, piece N + 1 right of them; each has an anchor and a slope.
    slopes = torch.cat([left_slope[:, None], heights.diff(dim=1) / step, right_slope[:, None]], dim=1)
    anchors = torch.cat([heights[:, :1], heights], dim=1)
    piece = (torch.floor((wide.detach() + bound) / step) + 1).clamp(0, intervals + 1).long()
    piece = piece.clamp(0, intervals + 1)  # a NaN converts to an arbitrary integer
    place = piece + unit * (intervals + 2)
    knot = (piece - 1).clamp(min=0).to(wide.dtype) * step - bound
    return (anchors.reshape(-1)[place] + (wide - knot) * slopes.reshape(-1)[place]).to(x.dtype)


class PWLU(Activation):
    """PWLU: N linear pieces between equally spaced knots and one to either side, all of them trainable.

    It starts as a named function read at the knots (`relu` exactly, if the number of intervals is even).

    Shapes: any, output as input; curves differ between units along `unit_dimension`.

    Limitations: the ends of the knots are fixed here (the paper also learns them and realigns them with
    running statistics), so inputs want to be normalised. Second derivatives are zero.

    Args:
        intervals: Number N of pieces between -bound and bound.
        bound: Positive end of the knots.
        init: Function to start from: relu, leaky_relu, silu, gelu, mish, elu, tanh, sigmoid, softplus,
            identity, or the text of a formula of x, such as x*cos(x).
        num_parameters: Curves: 1, or one per unit.
        groups: One label per unit; units of one label share a curve.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.

    Raises:
        InputError: If `intervals` or `bound` is not positive or `init` is unknown.

    Source: Zhou et al., "Learning specialized activation functions with the piecewise linear unit", arXiv
    2104.03693.

    Example:
        >>> PWLU()(torch.tensor([-5.0, -0.5, 0.5, 5.0])).tolist()
        [0.0, 0.0, 0.5, 5.0]
    """

    unit: Tensor

    def __init__(
        self,
        intervals: int = 6,
        bound: float = 3.0,
        init: str = "relu",
        *,
        num_parameters: int = 1,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        if intervals < 1:
            raise InputError(f"intervals is {intervals}; it must be a positive integer")
        if not bound > 0:
            raise InputError(f"bound is {bound}; it must be positive")
        self.bound = float(bound)
        heights, left, right = _read_curve(init, intervals, self.bound)
        curves = self.num_parameters
        self.heights = nn.Parameter(heights.repeat(curves, 1))
        self.left_slope = nn.Parameter(left.repeat(curves))
        self.right_slope = nn.Parameter(right.repeat(curves))
        self.register_buffer("unit", torch.arange(curves), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        unit = self.per_unit(self.unit, x)
        return piecewise_linear(x, self.heights, self.left_slope, self.right_slope, unit, self.bound)


def _read_curve(name: str, intervals: int, bound: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return heights (N + 1,) at the knots and the outer slopes (1,), in the default dtype."""
    curve, dtype = known_curve(name), torch.get_default_dtype()
    with torch.enable_grad():
        knots = torch.linspace(-bound, bound, intervals + 1, dtype=torch.float64, requires_grad=True)
        heights = curve(knots)
        (slopes,) = torch.autograd.grad(heights.sum(), knots)
    return heights.detach().to(dtype), slopes[:1].to(dtype), slopes[-1:].to(dtype)
