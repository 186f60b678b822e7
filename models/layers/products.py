"""The sparse layer as a function, in eager mode, under transforms and in compiled graphs, and its dense equivalent.

Legend of shapes: E edges, I inputs, O outputs, B samples.
"""

from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from ._custom_operators import edge_product_operator
from ._eager import EagerDenseWeight, EagerEdgeLinear, feature_major, is_plain
from ._functions import EdgeProduct
from .structure import EdgeStructure

__all__ = ["DenseLayout", "dense_product", "dense_weight", "edge_linear", "without_gradient"]

# Below the first, torch's way to put values at places is the cheapest; below the second, its way to add rows is
# cheaper than a node of the autograd graph that is written in Python.
_EDGES_WORTH_A_VIEW = 1 << 13
_EDGES_WORTH_A_NODE = 1 << 16
# Zeros to copy are kept for matrices up to this size, where clearing new memory would show.
_ENTRIES_KEPT = 1 << 16


def edge_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    structure: EdgeStructure,
    backend: str,
    is_bias_lost: bool = False,
) -> Tensor:
    """Map x (B, I) to (B, O), in the type of the weights (E,); backend "bag", "csr", "gather" or "triton"."""
    y: Any
    if is_plain():
        y = EagerEdgeLinear.apply(x, weight, bias, structure, backend, is_bias_lost)
        return y
    if is_bias_lost:
        bias = without_gradient(bias)
    y = _product(weight, feature_major(x, weight.dtype), structure, backend)
    return (y if bias is None else y + bias.unsqueeze(1)).t()


def _product(weight: Tensor, x: Tensor, structure: EdgeStructure, backend: str) -> Any:
    if not torch.compiler.is_compiling():
        return EdgeProduct.apply(weight, x, structure, False, backend)
    if not torch._C._are_functorch_transforms_active():
        return edge_product_operator(weight, x, *structure, False, backend)
    # Transforms refuse opaque operators inside compiled graphs.
    y = x.new_zeros(structure.out_features, x.shape[1])
    return y.index_add(0, structure.target, x.index_select(0, structure.source) * weight.unsqueeze(1))


def without_gradient(bias: Tensor | None) -> Tensor | None:
    """Return a bias whose gradient is 0."""
    return None if bias is None else bias.detach() + 0 * bias


class DenseLayout(NamedTuple):
    """What it takes to write the values of a layer into its dense matrix.

    Attributes:
        shape: (O, I).
        place: Where each edge lies in the flattened matrix, int64 (E,).
        zeros: A matrix of zeros, or an empty vector where that would take much memory.
        is_full: Whether the edges are all entries of the matrix, row by row.
    """

    shape: tuple[int, int]
    place: Tensor
    zeros: Tensor
    is_full: bool

    @classmethod
    def of(cls, structure: EdgeStructure) -> Self:
        """Return the layout of a structure, on its device."""
        inputs, outputs = structure.in_features, structure.out_features
        place = structure.target.long() * inputs + structure.source
        is_full = structure.num_edges == inputs * outputs and structure.output_order.shape[0] == 0
        shape = (outputs, inputs) if inputs * outputs <= _ENTRIES_KEPT else (0,)
        zeros = place.new_zeros(shape, dtype=torch.float32)
        return cls((outputs, inputs), place, zeros, is_full)


def dense_weight(weight: Tensor, layout: DenseLayout) -> Tensor:
    """Scatter weights (..., E) into matrices (..., O, I) that are 0 elsewhere; differentiable."""
    shape, place, zeros, is_full = layout
    if is_full:
        return weight.view(*weight.shape[:-1], *shape)
    count = shape[0] * shape[1]
    if weight.ndim == 1 and is_plain():
        if weight.shape[0] >= _EDGES_WORTH_A_NODE:
            flat: Any = EagerDenseWeight.apply(weight, place, count)
            return flat.view(shape)
        if weight.shape[0] < _EDGES_WORTH_A_VIEW and zeros.ndim == 2 and zeros.dtype == weight.dtype:
            return zeros.put(place, weight)
        return weight.new_zeros(count).index_add_(0, place, weight).view(shape)
    leading = weight.shape[:-1]
    return weight.new_zeros(*leading, count).scatter(-1, place.expand_as(weight), weight).view(*leading, *shape)


def dense_product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Map x (..., I) by a matrix (O, I), or (..., C, I) by matrices (C, O, I)."""
    if weight.ndim == 2:
        return torch.nn.functional.linear(x, weight, bias)
    y = torch.einsum("...ci,coi->...co", x, weight)
    return y if bias is None else y + bias
