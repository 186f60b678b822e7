"""The sparse product as a function, in eager mode and in compiled graphs, and its dense equivalent.

Legend of shapes: E edges, I inputs, O outputs, B samples.
"""

import torch
from torch import Tensor

from ._custom_operators import edge_product_operator
from ._functions import EdgeProduct
from .structure import EdgeStructure

__all__ = ["dense_weight", "edge_product"]


def edge_product(weight: Tensor, x: Tensor, structure: EdgeStructure, backend: str) -> Tensor:
    """Return the product (O, B) of weights (E,) and x (I, B); backend "bag", "csr" or "gather"."""
    if torch.compiler.is_compiling():
        return edge_product_operator(weight, x, *structure, False, backend)
    return EdgeProduct.apply(weight, x, structure, False, backend)  # pyright: ignore[reportReturnType]


def dense_weight(weight: Tensor, structure: EdgeStructure) -> Tensor:
    """Scatter weights (..., E) into matrices (..., O, I) that are 0 elsewhere; differentiable."""
    inputs, outputs = structure.in_features, structure.out_features
    place = structure.target.long() * inputs + structure.source
    flat = weight.new_zeros(*weight.shape[:-1], outputs * inputs)
    return flat.scatter(-1, place.expand_as(weight), weight).unflatten(-1, (outputs, inputs))
