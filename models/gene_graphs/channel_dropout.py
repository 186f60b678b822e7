"""Dropout of states whose masks are cheap to draw."""

import torch
from torch import Tensor, nn

from ..layers._eager import is_plain
from ..layers.dropout import draw_mask

__all__ = ["ChannelDropout"]


class ChannelDropout(nn.Dropout):
    """`torch.nn.Dropout` from 16 random bits per entry; a sixth of its time on a processor.

    Where torch compiles or transforms the network it is `torch.nn.Dropout`.

    Example:
        >>> import torch
        >>> ChannelDropout(0.25)(torch.ones(2, 100_000)).unique()
        tensor([0.0000, 1.3333])
    """

    def forward(self, input: Tensor, generator: torch.Generator | None = None) -> Tensor:  # noqa: A002  (torch's name)
        """Zero a share p of the entries in training; without a generator torch's own is asked."""
        if not self.training or self.p == 0 or not is_plain():
            return super().forward(input)
        return input * draw_mask(input.new_empty(input.shape), self.p, generator)
