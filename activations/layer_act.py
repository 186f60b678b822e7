"""LayerAct: SiLU gated by the sample's own statistics."""

import torch
from torch import Tensor

from ..errors import InputError
from .base import Activation
from .numerics import widen
from .statistics import mean_and_std

__all__ = ["LayerAct", "layer_act"]


def layer_act(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Compute x * sigmoid((x - mean) / sqrt(var + eps)), the statistics per sample.

    Args:
        x: (B, ...); mean and population variance run over all dimensions but the first. A one-dimensional
            tensor is one sample.
        eps: Added to the variance, so that a constant sample keeps a finite gradient.

    Returns:
        Tensor of the shape and type of `x`.

    Example:
        >>> layer_act(torch.tensor([[-1.0, 1.0]]))
        tensor([[-0.2689,  0.7311]])
    """
    wide = widen(x)
    dims = tuple(range(1, x.dim())) or (0,)
    mean, std = mean_and_std(wide, dims, eps)
    return (wide * torch.sigmoid((wide - mean) / std)).to(x.dtype)


class LayerAct(Activation):
    """LA-SiLU: x * sigmoid((x - mean) / sqrt(var + eps)), the same in training and evaluation.

    Mean and variance are the sample's own, over all dimensions but the batch, so no prediction depends on its
    batch-mates. It holds no parameter. `ASH` differs by not dividing by the deviation and by its trainable
    threshold and slope.

    Shapes: any (B, ...), output as input.

    Limitations: padding takes part in the statistics; after layer normalisation it is SiLU.

    Args:
        eps: Added to the variance.

    Raises:
        InputError: If `eps` is not positive.

    Source: Yoon and Kim, "Layer-level activation mechanism", AAAI 2025, arXiv 2306.04940 (LA-SiLU).

    Example:
        >>> LayerAct()(torch.tensor([[-1.0, 1.0]]))
        tensor([[-0.2689,  0.7311]])
    """

    gated = True

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        if eps <= 0:
            raise InputError(f"eps is {eps}; it must be positive")
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to (B, ...)."""
        return layer_act(x, self.eps)
