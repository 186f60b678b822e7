"""Operations in the form in which many small networks at once are fast: the batch last in memory.

A small network's tensors have short rows: heads of width 8, sequences of 5 tokens. Compiled loops over such rows waste
most of a processor's vector, and a batched product of 5 x 8 matrices costs more in calls than in arithmetic. With the
batch as the last dimension in memory every loop runs over a batch, whatever the network's own sizes are.

Legend of shapes: B batch, T positions, D and O widths, V rows of a table.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

__all__ = ["BatchLast"]

# Matrices of this size and less are multiplied entry by entry.
_SMALL = 16
_MATMUL = (torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.bmm, torch.Tensor.bmm)
_MUL = (torch.mul, torch.Tensor.mul, torch.Tensor.__mul__)
_SOFTMAX = (torch.softmax, torch.Tensor.softmax, F.softmax)


class BatchLast(TorchFunctionMode):
    """While a graph is traced, replaces operations on batches of sequences by equal ones with the batch last in memory.

    Linear maps, layer norms, sums, products and softmax of (B, T, ...), and look-ups (B, T) in tables.
    Results have the same shapes and, but for the order of summation, the same values and derivatives. Everything else
    is left as it is.

    Args:
        learned_tables: Whether tables are learned: looking up is then a product with one-hot columns, whose derivative
            is a product too, and not a scatter.

    Example:
        >>> x, weight = torch.randn(32, 5, 64), torch.randn(8, 64)
        >>> with BatchLast():
        ...     y = F.linear(x, weight)
        >>> y.shape, y.stride(), bool(torch.allclose(y, F.linear(x, weight), atol=1e-4))
        (torch.Size([32, 5, 8]), (1, 32, 160), True)
    """

    def __init__(self, learned_tables: bool = True) -> None:
        super().__init__()
        self.learned_tables = learned_tables

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        form = _FORMS.get(func) if func is not F.embedding or self.learned_tables else None
        found = form(*args, **kwargs) if form is not None else NotImplemented
        return func(*args, **kwargs) if found is NotImplemented else found


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:  # noqa: A002
    """Multiply W (O, D) by x as (D, T B)."""
    if input.dim() != 3:
        return NotImplemented
    batch, positions, _ = input.shape
    y = weight @ input.permute(2, 1, 0).flatten(1)
    y = y if bias is None else y + bias[:, None]
    return y.unflatten(1, (positions, batch)).permute(2, 1, 0)


def _matmul(input: Tensor, other: Tensor) -> Any:  # noqa: A002
    """Multiply small matrices (B, ..., I, K) and (B, ..., K, J) entry by entry."""
    if input.dim() < 3 or input.dim() != other.dim() or input.shape[:-2] != other.shape[:-2]:
        return NotImplemented
    if max(*input.shape[-2:], *other.shape[-2:]) > _SMALL:
        return NotImplemented
    a, b = input.movedim(0, -1), other.movedim(0, -1)
    return (a.unsqueeze(-2) * b.unsqueeze(-4)).sum(-3).movedim(-1, 0)


def _softmax(input: Tensor, dim: int | None = None, *args: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> Any:  # noqa: A002
    if (
        dim not in (-1, input.dim() - 1)
        or input.dim() < 3
        or dtype is not None
        or args
        or kwargs.keys() - {"_stacklevel"}
    ):
        return NotImplemented
    x = input.movedim(0, -1)
    powers = (x - x.detach().amax(-2, keepdim=True)).exp()
    return (powers / powers.sum(-2, keepdim=True)).movedim(-1, 0)


def _layer_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    if input.dim() != 3 or len(normalized_shape) != 1:
        return NotImplemented
    x = input.permute(2, 1, 0)
    centred = x - x.mean(0, keepdim=True)
    y = centred * (centred.square().mean(0, keepdim=True) + eps).rsqrt()
    y = y if weight is None else y * weight[:, None, None]
    y = y if bias is None else y + bias[:, None, None]
    return y.permute(2, 1, 0)


def _sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:  # noqa: A002
    """Keep the batch last in what a sum leaves, too."""
    if input.dim() < 3 or not isinstance(dim, int) or dim in (0, -input.dim()) or dtype is not None:
        return NotImplemented
    moved = dim - 1 if dim > 0 else dim - 1 + input.dim()
    return input.movedim(0, -1).sum(moved % input.dim(), keepdim).movedim(-1, 0)


def _mul(input: Tensor, other: Any) -> Any:  # noqa: A002
    """Keep the batch last in the derivative of a factor that was spread along a dimension, too."""
    if not isinstance(other, Tensor) or input.dim() < 3 or input.dim() != other.dim() or input.shape == other.shape:
        return NotImplemented
    if input.shape[0] != other.shape[0]:
        return NotImplemented
    return (input.movedim(0, -1) * other.movedim(0, -1)).movedim(-1, 0)


def _embedding(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    if input.dim() != 2 or padding_idx is not None or max_norm is not None or scale_grad_by_freq or sparse:
        return NotImplemented
    batch, positions = input.shape
    rows = torch.arange(weight.shape[0], device=weight.device)
    chosen = (input.T.reshape(1, -1) == rows[:, None]).to(weight.dtype)
    return (weight.T @ chosen).unflatten(1, (positions, batch)).permute(2, 1, 0)


_FORMS: dict[Callable, Callable[..., Any]] = {
    F.linear: _linear,
    F.layer_norm: _layer_norm,
    F.embedding: _embedding,
    torch.sum: _sum,
    torch.Tensor.sum: _sum,
    **dict.fromkeys(_MUL, _mul),
    **dict.fromkeys(_MATMUL, _matmul),
    **dict.fromkeys(_SOFTMAX, _softmax),
}
