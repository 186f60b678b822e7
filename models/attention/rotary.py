"""Rotary position embedding.

Shapes: T positions, K head width.
"""

import torch
from torch import Tensor, nn

from ...errors import InputError

__all__ = ["Rotary"]


class Rotary(nn.Module):
    """Turn the pairs (x_i, x_{i + K/2}) of every head by an angle that grows with the position.

    At position t pair i turns by t * base^(-2i/K), so that a product of two turned vectors depends on the distance of
    their positions alone. Su et al. 2021, arXiv 2104.09864, equation 34; pairs are halves, not neighbours.

    Args:
        head_width: Width K, even.
        base: Base of the angles.
        max_positions: Number of positions that the tables hold.

    Shape:
        - Input: (..., T, K)
        - Output: the same

    Raises:
        InputError: If the width is not a positive even number, or there are more positions than the tables hold.

    Example:
        >>> rotary = Rotary(2)
        >>> rotary(torch.tensor([[1.0, 0.0], [1.0, 0.0]])).round(decimals=3)  # by 0 and by 1 radian
        tensor([[1.0000, 0.0000],
                [0.5400, 0.8410]])
    """

    cosine: Tensor
    signed_sine: Tensor

    def __init__(self, head_width: int, base: float = 1e4, max_positions: int = 128) -> None:
        super().__init__()
        if head_width < 2 or head_width % 2:
            raise InputError(f"head_width is {head_width}; rotary positions need a positive even number")
        self.max_positions = max_positions
        frequency = base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
        angle = torch.arange(max_positions, dtype=torch.float64)[:, None] * frequency
        # The sign of the first half makes the swap of halves below the turn by a quarter.
        sine = torch.cat([-angle.sin(), angle.sin()], dim=1)
        dtype = torch.get_default_dtype()
        self.register_buffer("cosine", angle.cos().repeat(1, 2).to(dtype), persistent=False)
        self.register_buffer("signed_sine", sine.to(dtype), persistent=False)

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """Turn vectors whose positions are first, first + 1, ..."""
        last = first + x.shape[-2]
        if last > self.max_positions:
            raise InputError(f"a sequence has {last} tokens; max_positions is {self.max_positions}")
        swapped = x.roll(x.shape[-1] // 2, dims=-1)
        return torch.addcmul(x * self.cosine[first:last], swapped, self.signed_sine[first:last])
