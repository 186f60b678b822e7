"""The products of a layer of many replicas and their gradients, written out.

Legend of shapes: R replicas, B batch, I inputs, O outputs; rows that come in are (I, B) if all share them, else
(R * I, B).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..layers import EdgeStructure
from ..layers._kernels import product, sampled

__all__ = ["DenseProduct", "SparseProduct"]


class SparseProduct(NamedTuple):
    """Weights of all edges, (E,)."""

    structure: EdgeStructure
    backend: str

    def apply(self, weight: Tensor, rows: Tensor) -> Tensor:
        """Return rows (R * O, B)."""
        return product(weight, rows, self.structure, False, self.backend)

    def input_gradient(self, weight: Tensor, g: Tensor) -> Tensor:
        """Return the gradient of the rows that came in from that of (R * O, B)."""
        return product(weight, g, self.structure, True, self.backend)

    def weight_gradient(self, weight: Tensor, g: Tensor, rows: Tensor) -> Tensor:
        """Return the gradient of the weights."""
        return sampled(g, rows, self.structure, self.backend)


class DenseProduct(NamedTuple):
    """Weights (R, O, I)."""

    is_shared: bool

    def apply(self, weight: Tensor, rows: Tensor) -> Tensor:
        """Return rows (R * O, B)."""
        if self.is_shared:
            return weight.flatten(0, 1) @ rows
        return torch.bmm(weight, rows.unflatten(0, (weight.shape[0], -1))).flatten(0, 1)

    def input_gradient(self, weight: Tensor, g: Tensor) -> Tensor:
        """Return the gradient of the rows that came in from that of (R * O, B)."""
        if self.is_shared:
            return weight.flatten(0, 1).t() @ g
        return torch.bmm(weight.mT, g.unflatten(0, (weight.shape[0], -1))).flatten(0, 1)

    def weight_gradient(self, weight: Tensor, g: Tensor, rows: Tensor) -> Tensor:
        """Return the gradient of the weights."""
        if self.is_shared:
            return (g @ rows.t()).view(weight.shape)
        count = weight.shape[0]
        return torch.bmm(g.unflatten(0, (count, -1)), rows.unflatten(0, (count, -1)).mT)
