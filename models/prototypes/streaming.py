"""Run rows and bags through a function in pieces that are computed again in the backward pass.

What autograd keeps of a piece is then its input and its output; everything in between exists for one piece at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

__all__ = ["bag_groups", "recomputed", "rows_in_pieces"]


def recomputed(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function whose intermediate values are computed again when gradients are needed.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> recomputed(torch.exp, x).sum().backward()
        >>> x.grad
        tensor([2.7183, 2.7183])
    """
    if not torch.is_grad_enabled():
        return function(*arguments)
    return checkpoint(function, *arguments, use_reentrant=False)


def rows_in_pieces(function: Callable[[Tensor], Tensor], rows: Tensor, most: int) -> Tensor:
    """Map rows (N, ...) by a function that treats every row alone, at most so many rows at a time; 0: all at once.

    Example:
        >>> rows_in_pieces(torch.neg, torch.arange(5), most=2)
        tensor([ 0, -1, -2, -3, -4])
    """
    if not most or len(rows) <= most:
        return function(rows)
    return torch.cat([recomputed(function, piece) for piece in rows.split(most)])


def bag_groups(pointers: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of consecutive bags with at most so many rows, or a single larger bag; 0: all bags at once.

    Example:
        >>> list(bag_groups([0, 3, 5, 20, 21], most=6))
        [(0, 2), (2, 3), (3, 4)]
    """
    start, count = 0, len(pointers) - 1
    while start < count:
        end = start + 1
        while end < count and (not most or pointers[end + 1] - pointers[start] <= most):
            end += 1
        yield start, end
        start = end
