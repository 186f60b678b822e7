"""Whether a module treats every entry of its input by itself, found out by trying."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["is_elementwise"]


@torch.no_grad()
def is_elementwise(function: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Tell whether no entry of the output depends on another entry of the input, rows included.

    The off-diagonal entries of the Jacobian are probed with finite changes: for every bit of the entries' numbers,
    all entries with that bit set are moved, then all others, and none of the entries left alone may change its
    output in any bit of its value. Every ordered pair of entries is told apart by some bit, so 2 log2(entries) calls
    cover all pairs. A function that mixes entries only beyond changes of about one standard deviation around `x`
    escapes.

    Args:
        function: Called with tensors of the shape of `x`.
        x: Floating point; any shape, rows first.

    Example:
        >>> x = torch.linspace(-1, 1, 12).reshape(2, 6)
        >>> is_elementwise(torch.tanh, x), is_elementwise(lambda x: x - x.mean(1, keepdim=True), x)
        (True, False)
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.device, x.dtype)
    moved = x + noise * (1 + x.abs().mean())
    expected = function(x.clone())
    if expected.shape != x.shape:
        return False
    number = torch.arange(x.numel(), device=x.device).reshape(x.shape)
    for bit in range(max(x.numel() - 1, 0).bit_length()):
        is_set = (number >> bit) & 1 == 1
        for change in (is_set, ~is_set):
            value = function(torch.where(change, moved, x))
            same = (value == expected) | (value.isnan() & expected.isnan())
            if not bool((same | change).all()):
                return False
    return True
