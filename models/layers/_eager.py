"""What eager mode runs: a whole sparse layer as one node of the autograd graph.

Small layers are bound by the number of nodes and calls, not by arithmetic: transposition, product and bias share one
node, and its backward calls the kernels directly unless somebody differentiates it again.
Legend of shapes: E edges, I inputs, O outputs, B samples.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from ._functions import EdgeProduct, EdgeSampled, is_batched_gradient
from ._kernels import product, sampled
from .structure import EdgeStructure

__all__ = ["EagerDenseWeight", "EagerEdgeLinear", "feature_major", "is_plain", "transposed_copy"]

_MOST_ROWS = 512
_CACHE_WAY = 256


def is_plain() -> bool:
    """Whether nothing but ordinary backward can look at what runs now: no compiler, transform or forward derivative."""
    return not (
        torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
    )


def feature_major(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x (B, F) as contiguous (F, B) of a type."""
    if x.dtype != dtype:
        x = x.to(dtype)
    rows = x.t()
    return rows if rows.is_contiguous() else transposed_copy(x)


def transposed_copy(x: Tensor) -> Tensor:
    """Return a contiguous transposition.

    torch copies a transposed matrix in blocks with one thread, and an array of three dimensions row by row with all.
    Rows are faster, also with one thread, while what a row of the copy reads stays in the cache: few rows of x, and
    not a power of two apart.
    """
    if x.shape[0] > _MOST_ROWS or x.shape[1] % _CACHE_WAY == 0:
        return x.t().contiguous()
    return x.unsqueeze(0).transpose(1, 2).contiguous().squeeze(0)


class EagerEdgeLinear(Function):
    """Map x (B, I) to (B, O), feature-major in memory, with weights (E,) and a bias (O,) or None.

    It computes in the type of the weights.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        structure: EdgeStructure,
        backend: str,
        is_bias_lost: bool,
    ) -> Tensor:
        """Return the product plus the bias."""
        rows = feature_major(x, weight.dtype)
        y = product(weight, rows, structure, False, backend)
        if bias is not None:
            y.add_(bias.unsqueeze(1))
        needs = ctx.needs_input_grad
        # rows comes from x; x itself is kept for those who differentiate the backward.
        ctx.save_for_backward(weight if needs[0] else None, *((x, rows) if needs[1] else (None, None)))
        ctx.options = (structure, backend, weight.dtype, x.dtype)
        ctx.is_batch_major = x.is_contiguous()
        ctx.is_bias_lost = is_bias_lost
        return y.t()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients that are asked for."""
        weight, x, rows = ctx.saved_tensors
        structure, backend, compute, x_dtype = ctx.options
        (g,), needs = gradients, ctx.needs_input_grad
        if torch.is_grad_enabled() or is_batched_gradient(g):
            found = _differentiable_backward(ctx.needs_input_grad, g, weight, x, *ctx.options)
            return (*found[:2], 0 * found[2] if needs[2] and ctx.is_bias_lost else found[2], None, None, None)
        g_rows = feature_major(g, compute)
        x_gradient = None
        if needs[0]:
            x_rows = product(weight, g_rows, structure, True, backend)
            # In the layout of x, which is the one that its source wants; torch would copy it with one thread.
            x_gradient = transposed_copy(x_rows) if ctx.is_batch_major else x_rows.t()
            x_gradient = x_gradient if x_dtype == compute else x_gradient.to(x_dtype)
        weight_gradient = sampled(g_rows, rows, structure, backend) if needs[1] else None
        bias_gradient = None
        if needs[2]:
            bias_gradient = g_rows.new_zeros(len(g_rows)) if ctx.is_bias_lost else g_rows.sum(1)
        return x_gradient, weight_gradient, bias_gradient, None, None, None


def _differentiable_backward(
    needs: tuple[bool, ...],
    g: Tensor,
    weight: Tensor,
    x: Tensor,
    structure: EdgeStructure,
    backend: str,
    compute: torch.dtype,
    x_dtype: torch.dtype,
) -> tuple[Any, ...]:
    """Return the gradients as functions that can be differentiated again."""
    g_rows = g.t().to(compute)
    x_gradient: Any = EdgeProduct.apply(weight, g_rows, structure, True, backend) if needs[0] else None
    weight_gradient = EdgeSampled.apply(g_rows, x.t().to(compute), structure, backend) if needs[1] else None
    bias_gradient = g_rows.sum(1) if needs[2] else None
    return None if x_gradient is None else x_gradient.t().to(x_dtype), weight_gradient, bias_gradient


class EagerDenseWeight(Function):
    """Scatter weights (E,) over zeros (count,) at distinct places; faster backward than torch's own."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, place: Tensor, count: int) -> Tensor:
        """Return the flat dense weight."""
        ctx.place = place
        return weight.new_zeros(count).scatter_(0, place, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Pick what lies at the places."""
        return gradients[0].index_select(0, ctx.place), None, None
