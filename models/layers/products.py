"""The sparse layer as a function, in eager mode, under transforms and in compiled graphs, and its dense equivalent.

Legend of shapes: E edges, I inputs, O outputs, B samples.
"""

from typing import Any

import torch
from torch import Tensor

from ._custom_operators import edge_product_operator
from ._eager import EagerDenseWeight, EagerEdgeLinear, feature_major, is_plain
from ._functions import EdgeProduct
from .structure import EdgeStructure

__all__ = ["dense_product", "dense_weight", "edge_linear"]

# Below, torch's own nodes cost less than one written in Python.
_EDGES_WORTH_A_NODE = 1 << 13


def edge_linear(x: Tensor, weight: Tensor, bias: Tensor | None, structure: EdgeStructure, backend: str) -> Tensor:
    """Map x (B, I) to (B, O), in the type of the weights (E,); backend "bag", "csr" or "gather"."""
    y: Any
    if is_plain():
        y = EagerEdgeLinear.apply(x, weight, bias, structure, backend)
        return y
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


def dense_weight(weight: Tensor, structure: EdgeStructure, place: Tensor | None = None) -> Tensor:
    """Scatter weights (..., E) into matrices (..., O, I) that are 0 elsewhere; differentiable.

    place: `structure.place`, where the caller keeps it.
    """
    shape = (*weight.shape[:-1], structure.out_features, structure.in_features)
    if structure.is_full_matrix:
        return weight.view(shape)
    place = structure.place if place is None else place
    count = shape[-1] * shape[-2]
    if weight.ndim == 1 and weight.shape[0] >= _EDGES_WORTH_A_NODE and is_plain():
        flat: Any = EagerDenseWeight.apply(weight, place, count)
        return flat.view(shape)
    if weight.ndim > 1:
        place = place.expand_as(weight)
    return weight.new_zeros(*weight.shape[:-1], count).scatter(-1, place, weight).view(shape)


def dense_product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Map x (..., I) by a matrix (O, I), or (..., C, I) by matrices (C, O, I)."""
    if weight.ndim == 2:
        return torch.nn.functional.linear(x, weight, bias)
    y = torch.einsum("...ci,coi->...co", x, weight)
    return y if bias is None else y + bias
