"""Dice: a leaky rectifier whose threshold follows the batch's statistics."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import InputError
from .base import Activation, unit_dimension
from .parameters import add_parameter

__all__ = ["Dice", "dice"]


def dice(x: Tensor, gate: Tensor, alpha: Tensor | float) -> Tensor:
    """Mix x and alpha * x by a gate in [0, 1]: gate * x + (1 - gate) * alpha * x.

    Example:
        >>> dice(torch.tensor([2.0]), torch.tensor([0.5]), 0.0)
        tensor([1.])
    """
    return ((gate + (1 - gate) * alpha) * x).to(x.dtype)


class Dice(Activation):
    """Dice: p(x) x + (1 - p(x)) alpha x with p(x) = sigmoid of x standardised per feature.

    In training the statistics are the batch's, in evaluation running ones, kept by a batch normalisation
    without weight and bias. alpha is trainable, one value per feature or per group, 0 at first.

    Shapes: (B, F), (B, T, D) with features last, (B, C, ...) with channels in dimension 1 from four
    dimensions on.

    Limitations: in training a sample's output depends on its batch-mates and a batch needs two values per
    feature; in evaluation it does not. Statistics are per process unless converted to synchronised batch
    normalisation.

    Args:
        num_features: Width F, D or C.
        eps: Added to the variance.
        momentum: Weight of the newest batch in the running statistics.
        alpha: Initial slope of the closed side.
        trainable: Whether alpha is trained.
        groups: One label per feature; features of one label share alpha.
        channel_dim: Dimension of the features; None picks it by the number of dimensions.

    Raises:
        InputError: If the input has no batch dimension or another width.

    Source: Zhou et al., "Deep Interest Network for click-through rate prediction", arXiv 1706.06978, equation
    9.

    Example:
        >>> Dice(2, trainable=False).eval()(torch.tensor([[-1.0, 1.0]]))
        tensor([[-0.2689,  0.7311]])
    """

    gated = True
    alpha: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        alpha: float = 0.0,
        *,
        trainable: bool = True,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(1 if groups is not None else num_features, groups, channel_dim)
        self.num_features = num_features
        self.norm = nn.BatchNorm1d(num_features, eps=eps, momentum=momentum, affine=False)
        add_parameter(self, "alpha", alpha, trainable)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to (B, F), (B, T, D) or (B, C, ...)."""
        if x.dim() < 2:
            raise InputError(f"Dice needs a batch dimension, but its input has the shape {tuple(x.shape)}")
        alpha = self.per_unit(self.alpha, x)
        units_second = x.movedim(unit_dimension(x, self.channel_dim), 1)
        rows = units_second.flatten(2) if x.dim() > 2 else units_second
        standard = self.norm(rows).reshape(units_second.shape)
        gate = torch.sigmoid(standard.movedim(1, unit_dimension(x, self.channel_dim)))
        return dice(x, gate, alpha)
