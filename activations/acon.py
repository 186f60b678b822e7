"""ACON: a smooth switch between two slopes, learned or computed from the sample."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import InputError
from .base import Activation, unit_dimension
from .numerics import widen
from .parameters import add_parameter

__all__ = ["AconC", "MetaAcon", "acon_c"]


def acon_c(x: Tensor, p1: Tensor | float, p2: Tensor | float, beta: Tensor | float) -> Tensor:
    """Compute (p1 - p2) x sigmoid(beta (p1 - p2) x) + p2 x.

    Example:
        >>> acon_c(torch.tensor([1.0]), 1.0, 0.0, 1.0)
        tensor([0.7311])
    """
    wide = widen(x)
    difference = (p1 - p2) * wide
    return (difference * torch.sigmoid(beta * difference) + p2 * wide).to(x.dtype)


class AconC(Activation):
    """ACON-C: (p1 - p2) x sigmoid(beta (p1 - p2) x) + p2 x, all three trainable.

    p1 and p2 are the slopes at the two ends, drawn from N(0, 1) as the authors do; beta, 1 at first, decides
    how sharply they switch (0: a straight line). p1 = 1 and p2 = 0 give Swish.

    Shapes: any, output as input; parameters differ between units along `unit_dimension`.

    Args:
        num_parameters: Values of each parameter: 1, or one per unit.
        groups: One label per unit; units of one label share values.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.

    Source: Ma et al., "Activate or not: learning customized activation", CVPR 2021, arXiv 2009.04759, ACON-C.

    Example:
        >>> AconC(num_parameters=3)(torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """

    p1: Tensor
    p2: Tensor
    beta: Tensor

    def __init__(
        self,
        num_parameters: int = 1,
        *,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        self.p1 = nn.Parameter(torch.randn(self.num_parameters))
        self.p2 = nn.Parameter(torch.randn(self.num_parameters))
        add_parameter(self, "beta", 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return acon_c(x, *(self.per_unit(value, x) for value in (self.p1, self.p2, self.beta)))


class MetaAcon(Activation):
    """Meta-ACON: ACON-C whose beta is computed from the sample by two small linear layers.

    beta = sigmoid(norm(expand(norm(reduce(mean of x over positions))))), one per sample and feature.

    Shapes: (B, F), (B, T, D) with features last, (B, C, ...) with channels in dimension 1 from four
    dimensions on. (B, F) has no positions: beta is computed from the sample itself.

    Limitations: batch normalisation inside, so a training batch needs two samples and outputs in training
    depend on batch-mates; in float16 the linear layers overflow for inputs of the order of 1e4.

    Args:
        num_features: Width F, D or C.
        reduction: The bottleneck has max(reduction, num_features // reduction) units.
        channel_dim: Dimension of the features; None picks it by the number of dimensions.

    Raises:
        InputError: If `reduction` is not positive, the input has no batch dimension or another width.

    Source: Ma et al., "Activate or not: learning customized activation", CVPR 2021, arXiv 2009.04759,
    Meta-ACON.

    Example:
        >>> MetaAcon(4)(torch.randn(2, 4, 5, 5)).shape
        torch.Size([2, 4, 5, 5])
    """

    gated = True

    def __init__(self, num_features: int, reduction: int = 16, *, channel_dim: int | None = None) -> None:
        super().__init__(num_features, channel_dim=channel_dim)
        if reduction < 1:
            raise InputError(f"reduction is {reduction}; it must be a positive integer")
        self.num_features = num_features
        bottleneck = max(reduction, num_features // reduction)
        self.p1 = nn.Parameter(torch.randn(num_features))
        self.p2 = nn.Parameter(torch.randn(num_features))
        # No bias where a normalisation follows: it would be subtracted again and never receive a gradient.
        self.switch = nn.Sequential(
            nn.Linear(num_features, bottleneck, bias=False),
            nn.BatchNorm1d(bottleneck),
            nn.Linear(bottleneck, num_features, bias=False),
            nn.BatchNorm1d(num_features),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to (B, F), (B, T, D) or (B, C, ...)."""
        if x.dim() < 2:
            raise InputError(f"MetaAcon needs a batch dimension, but its input has the shape {tuple(x.shape)}")
        p1, p2 = self.per_unit(self.p1, x), self.per_unit(self.p2, x)
        dim = unit_dimension(x, self.channel_dim)
        positions = [d for d in range(1, x.dim()) if d != dim]
        beta = self.switch(x.mean(positions) if positions else x)
        for position in positions:
            beta = beta.unsqueeze(position)
        return acon_c(x, p1, p2, beta)
