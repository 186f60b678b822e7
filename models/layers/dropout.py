"""Dropout whose masks are cheap to draw, alone and for many networks at once.

Legend of shapes: B batch, N units.
"""

import torch
from torch import Tensor, nn

from ._eager import is_plain

__all__ = ["UnitDropout", "count_bits", "draw_mask", "mask_of_bits", "random_bits"]

_LEVELS = 1 << 16
_LOWEST = -(1 << 15)


def draw_mask(out: Tensor, p: float, generator: torch.Generator | None = None, factor: float = 1.0) -> Tensor:
    """Fill a contiguous tensor with 0 (a share p of the entries) and factor / (1 - p), from 16 random bits per entry.

    The shares are multiples of 2^-16, and the second number makes up for the rounding. On a processor this takes a
    sixth of the time of `Tensor.bernoulli_`.

    Example:
        >>> import torch
        >>> from axonlight.models.layers.dropout import draw_mask
        >>> draw_mask(torch.empty(2, 100_000), 0.5, torch.Generator().manual_seed(0)).unique()
        tensor([0., 2.])
    """
    if not out.numel():
        return out
    bits = random_bits(torch.empty(count_bits(out.numel()), dtype=torch.int64, device=out.device), generator)
    return mask_of_bits(bits, out, p, factor)


def count_bits(entries: int) -> int:
    """Return how many int64 of random bits a mask needs."""
    return -(-entries // 4)


def random_bits(out: Tensor, generator: torch.Generator | None) -> Tensor:
    """Fill int64 with random bits, all 64 of them: without the lowest number the sign would stay 0."""
    return out.random_(-(1 << 63), None, generator=generator)


def mask_of_bits(bits: Tensor, out: Tensor, p: float, factor: float) -> Tensor:
    """Fill a mask, or a stack of masks (R, ...) from a stack of bits (R, count), as `draw_mask` says."""
    kept = max(1, round((1 - p) * _LEVELS))
    if kept == _LEVELS:
        return out.fill_(factor)
    levels = bits.view(torch.int16)
    levels = levels[..., : out.numel() // (levels.numel() // levels.shape[-1])]
    # written as numbers at once: numbers times truth values take five times as long
    flat = out.view(levels.shape)
    torch.lt(levels, _LOWEST + kept, out=flat).mul_(factor * _LEVELS / kept)
    return out


class UnitDropout(nn.Dropout):
    """Dropout of a batch (B, N) that draws unit by unit, however the batch lies in memory.

    A mask then depends on the generator and on the shape alone, and a network trained among others draws what it would
    draw alone. Where torch compiles or transforms the network, and for other shapes, it is `torch.nn.Dropout`.

    Example:
        >>> import torch
        >>> from axonlight.models.layers.dropout import UnitDropout
        >>> _ = torch.manual_seed(0)
        >>> UnitDropout(0.5)(torch.ones(1, 6))
        tensor([[2., 2., 0., 2., 2., 2.]])
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name for it)
        """Zero a share p of the entries in training."""
        if not self.training or self.p == 0 or self.p == 1 or input.dim() != 2 or not is_plain():
            return super().forward(input)
        mask = draw_mask(input.new_empty(input.shape[1], input.shape[0]), self.p)
        return input * mask.t()
