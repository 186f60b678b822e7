"""The two products as opaque operators, so that compiled graphs hold them as one node each.

In eager mode the classes of `_functions` are faster to call; these are used while a compiler traces. A structure
travels as its tensors, because an operator takes nothing else.
"""

from typing import Any

import torch
from torch import Tensor

from . import _kernels
from .structure import EdgeStructure

__all__ = ["edge_product_operator", "edge_sampled_operator"]

_FIELDS = ", ".join(f"Tensor {name}" for name in EdgeStructure._fields)
_PRODUCT = f"(Tensor weight, Tensor x, {_FIELDS}, bool transposed, str backend) -> Tensor"
_SAMPLED = f"(Tensor y, Tensor x, {_FIELDS}, str backend) -> Tensor"


def _product(weight: Tensor, x: Tensor, *rest: Any) -> Tensor:
    *fields, transposed, backend = rest
    return _kernels.product(weight, x, EdgeStructure(*fields), transposed, backend)


def _sampled(y: Tensor, x: Tensor, *rest: Any) -> Tensor:
    *fields, backend = rest
    return _kernels.sampled(y, x, EdgeStructure(*fields), backend)


edge_product_operator = torch.library.custom_op("axonlight::edge_product", _product, mutates_args=(), schema=_PRODUCT)
edge_sampled_operator = torch.library.custom_op("axonlight::edge_sampled", _sampled, mutates_args=(), schema=_SAMPLED)


@edge_product_operator.register_fake
def _(weight: Tensor, x: Tensor, *rest: Any) -> Tensor:
    *fields, transposed, _backend = rest
    structure = EdgeStructure(*fields)
    return x.new_empty(structure.in_features if transposed else structure.out_features, x.shape[1])


@edge_sampled_operator.register_fake
def _(y: Tensor, x: Tensor, *rest: Any) -> Tensor:
    return x.new_empty(EdgeStructure(*rest[:-1]).num_edges)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    first, second, *rest = inputs
    ctx.save_for_backward(first, second, *(item for item in rest if isinstance(item, Tensor)))
    ctx.options = [item for item in rest if not isinstance(item, Tensor)]


def _product_backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    weight, x, *fields = ctx.saved_tensors
    transposed, backend = ctx.options
    weight_gradient = x_gradient = None
    if ctx.needs_input_grad[0]:
        pair = (x, g) if transposed else (g, x)
        weight_gradient = edge_sampled_operator(*pair, *fields, backend)
    if ctx.needs_input_grad[1]:
        x_gradient = edge_product_operator(weight, g, *fields, not transposed, backend)
    return weight_gradient, x_gradient, *[None] * (len(fields) + len(ctx.options))


def _sampled_backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    y, x, *fields = ctx.saved_tensors
    (backend,) = ctx.options
    y_gradient = x_gradient = None
    if ctx.needs_input_grad[0]:
        y_gradient = edge_product_operator(g, x, *fields, False, backend)
    if ctx.needs_input_grad[1]:
        x_gradient = edge_product_operator(g, y, *fields, True, backend)
    return y_gradient, x_gradient, *[None] * (len(fields) + len(ctx.options))


edge_product_operator.register_autograd(_product_backward, setup_context=_keep)
edge_sampled_operator.register_autograd(_sampled_backward, setup_context=_keep)
