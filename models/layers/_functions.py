"""The two products as differentiable functions; the backward of each is written with both.

Whatever order of derivative is asked for, these two products answer it: with P the product and S the sampled product,

    P(w, x):  dw = S(g, x)      dx = P^T(w, g)          P^T(w, y):  dw = S(y, g)      dy = P(w, g)
    S(y, x):  dy = P(g, x)      dx = P^T(g, y)
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from . import _kernels
from ._custom_operators import edge_product_operator, edge_sampled_operator
from .structure import EdgeStructure

__all__ = ["EdgeProduct", "EdgeSampled", "is_batched_gradient"]


class EdgeProduct(Function):
    """Sparse product of weights (E,) with x (I, B), or transposed with (O, B)."""

    @staticmethod
    def forward(weight: Tensor, x: Tensor, structure: EdgeStructure, transposed: bool, backend: str) -> Tensor:
        """Return (O, B), or (I, B) if transposed."""
        if is_batched_gradient(weight, x):
            return edge_product_operator(weight, x, *structure, transposed, backend)
        return _kernels.product(weight, x, structure, transposed, backend)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep of the two operands what the other one's gradient needs."""
        weight, x, ctx.structure, ctx.transposed, ctx.backend = inputs
        needs_weight, needs_x = ctx.needs_input_grad[:2]
        ctx.save_for_backward(weight if needs_x else None, x if needs_weight else None)
        ctx.save_for_forward(weight, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the weights and of x, each where it is asked for."""
        (g,), (weight, x) = gradients, ctx.saved_tensors
        structure, transposed, backend = ctx.structure, ctx.transposed, ctx.backend
        weight_gradient = x_gradient = None
        if ctx.needs_input_grad[0]:
            pair = (x, g) if transposed else (g, x)
            weight_gradient = EdgeSampled.apply(*pair, structure, backend)
        if ctx.needs_input_grad[1]:
            x_gradient = EdgeProduct.apply(weight, g, structure, not transposed, backend)
        return weight_gradient, x_gradient, None, None, None  # pyright: ignore[reportReturnType]

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Return the forward derivative, linear in each operand."""
        weight, x = ctx.saved_tensors
        options = (ctx.structure, ctx.transposed, ctx.backend)
        terms = [(tangents[0], x), (weight, tangents[1])]
        return sum(EdgeProduct.apply(*term, *options) for term in terms if term[0] is not None and term[1] is not None)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, int]:
        """Shared weights take the batch as more columns; weights of their own become diagonal blocks."""
        weight, x, structure, transposed, backend = inputs
        if in_dims[0] is None:
            columns = x.movedim(in_dims[1], 1)
            y = EdgeProduct.apply(weight, columns.flatten(1), structure, transposed, backend)
            return y.unflatten(1, columns.shape[1:]), 1  # pyright: ignore[reportAttributeAccessIssue]
        count = info.batch_size
        blocks = structure.repeated(count)
        rows = _stacked(x, in_dims[1], count)
        y = EdgeProduct.apply(_stacked(weight, in_dims[0], count), rows, blocks, transposed, backend)
        return y.unflatten(0, (count, -1)), 0  # pyright: ignore[reportAttributeAccessIssue]


class EdgeSampled(Function):
    """Inner product of the rows of y (O, B) and x (I, B) at both ends of each edge."""

    @staticmethod
    def forward(y: Tensor, x: Tensor, structure: EdgeStructure, backend: str) -> Tensor:
        """Return (E,)."""
        if is_batched_gradient(y, x):
            return edge_sampled_operator(y, x, *structure, backend)
        return _kernels.sampled(y, x, structure, backend)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep of the two operands what the other one's gradient needs."""
        y, x, ctx.structure, ctx.backend = inputs
        needs_y, needs_x = ctx.needs_input_grad[:2]
        ctx.save_for_backward(y if needs_x else None, x if needs_y else None)
        ctx.save_for_forward(y, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of y and of x, each where it is asked for."""
        (g,), (y, x) = gradients, ctx.saved_tensors
        y_gradient = x_gradient = None
        if ctx.needs_input_grad[0]:
            y_gradient = EdgeProduct.apply(g, x, ctx.structure, False, ctx.backend)
        if ctx.needs_input_grad[1]:
            x_gradient = EdgeProduct.apply(g, y, ctx.structure, True, ctx.backend)
        return y_gradient, x_gradient, None, None  # pyright: ignore[reportReturnType]

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Return the forward derivative, linear in each operand."""
        y, x = ctx.saved_tensors
        terms = [(tangents[0], x), (y, tangents[1])]
        options = (ctx.structure, ctx.backend)
        return sum(EdgeSampled.apply(*term, *options) for term in terms if term[0] is not None and term[1] is not None)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, int]:
        """Every member of the batch is a diagonal block."""
        y, x, structure, backend = inputs
        count = info.batch_size
        blocks = structure.repeated(count)
        values = EdgeSampled.apply(_stacked(y, in_dims[0], count), _stacked(x, in_dims[1], count), blocks, backend)
        return values.unflatten(0, (count, -1)), 0  # pyright: ignore[reportAttributeAccessIssue]


def is_batched_gradient(*tensors: Tensor) -> bool:
    """Whether `torch.autograd.grad(is_grads_batched=True)` runs: it skips vmap rules, and only loops over operators."""
    is_batched = torch._C._functorch.is_legacy_batchedtensor  # pyright: ignore[reportAttributeAccessIssue]
    return any(map(is_batched, tensors))


def _stacked(tensor: Tensor, dim: int | None, count: int) -> Tensor:
    """Put the members of a batch one below the other."""
    members = tensor.expand(count, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
    return members.flatten(0, 1)
