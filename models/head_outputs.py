"""What a network with several heads returns, and one tensor of it.

Legend of shapes: H heads, B batch, O outputs.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["HeadOutputs", "combined"]


class HeadOutputs(NamedTuple):
    """The outputs of several heads over the same samples (deep supervision), and what each counts.

    A task's loss is the sum of the heads' losses by `loss_weights`; its predictions are the sum of the heads'
    predictions by `prediction_weights` (for classes: of probabilities, not of logits).

    Args:
        outputs: (H, B, O), the heads in the order of the layers, last layer last.
        loss_weights: (H,), sum 1.
        prediction_weights: (H,), sum 1.

    Example:
        >>> import torch
        >>> half = torch.tensor([0.5, 0.5])
        >>> heads = HeadOutputs(torch.tensor([[[1.0]], [[3.0]]]), loss_weights=half, prediction_weights=half)
        >>> heads.combined()
        tensor([[2.]])
    """

    outputs: Tensor
    loss_weights: Tensor
    prediction_weights: Tensor

    def combined(self) -> Tensor:
        """Return the mean of the outputs (B, O) by `prediction_weights`: one tensor for attribution and export."""
        weights = self.prediction_weights.to(self.outputs.dtype)
        return torch.tensordot(weights, self.outputs, dims=1)


def combined(outputs: Tensor | HeadOutputs) -> Tensor:
    """Return outputs (B, O), whether a network has one head or several.

    Example:
        >>> import torch
        >>> combined(torch.ones(2, 1)).shape
        torch.Size([2, 1])
    """
    return outputs.combined() if isinstance(outputs, HeadOutputs) else outputs
