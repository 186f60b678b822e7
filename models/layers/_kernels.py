"""The two products of a sparse layer, by several kernels; no derivatives here.

Feature-major throughout: one row per feature, one column per sample, so that an edge reads whole rows.
Legend of shapes: E edges, I inputs, O outputs, B samples; x_IB, y_OB.

    product:  y[o] = sum over edges e into o of weight[e] * x[source[e]]     (transposed: x from y)
    sampled:  w[e] = sum over samples of y[target[e]] * x[source[e]]         (SDDMM)
"""

import warnings

import torch
from torch import Tensor

from .choice import check_available
from .structure import EdgeStructure

__all__ = ["product", "sampled"]

# Values that the gather kernels hold at once, so that their memory does not grow with edges times samples.
_GATHERED_VALUES = 1 << 22


def product(weight: Tensor, x: Tensor, structure: EdgeStructure, transposed: bool, backend: str) -> Tensor:
    """Return the sparse product (O, B) of x (I, B), or (I, B) of (O, B) if transposed."""
    if backend == "gather" or x.shape[1] == 0:
        return _gathered_product(weight, x, structure, transposed)
    check_available(backend, x.device.type)
    if backend == "triton":
        from ._triton_kernels import triton_product

        return triton_product(weight, x, structure, transposed)
    if transposed:
        pointer, index, order = structure.input_pointer, structure.input_index, structure.input_order
    else:
        pointer, index, order = structure.output_pointer, structure.output_index, structure.output_order
    # Where a derivative is wanted, torch's embedding bag notes what it would need for its own.
    x = x.detach().contiguous()
    values = weight.index_select(0, order) if order.shape[0] else weight.detach()
    if backend == "csr":
        matrix = _csr(pointer, index, values, x.shape[0])
        with torch.autocast(x.device.type, enabled=False):
            return matrix @ x
    bags = torch.embedding_bag(x, index, pointer, False, 0, False, values, True)
    return bags[0]


def sampled(y: Tensor, x: Tensor, structure: EdgeStructure, backend: str) -> Tensor:
    """Return for each edge the inner product (E,) of its rows in y (O, B) and x (I, B)."""
    if backend == "gather" or x.shape[1] == 0:
        return _gathered_sampled(y, x, structure)
    if backend == "triton":
        from ._triton_kernels import triton_sampled

        return triton_sampled(y, x, structure)
    if backend == "bag" and x.device.type == "cpu" and not torch.backends.mkl.is_available():
        return torch.ops.aten._embedding_bag_per_sample_weights_backward(
            y.contiguous(), x.contiguous(), structure.source, structure.output_pointer, structure.target, 0
        )
    zeros = y.new_zeros(structure.num_edges)
    pattern = _csr(structure.output_pointer, structure.output_index, zeros, x.shape[0])
    # In place: without `out` the pattern would be copied first.
    torch.sparse.sampled_addmm(pattern, y.contiguous(), x.contiguous().t(), beta=0.0, out=pattern)
    values = pattern.values()
    place = structure.output_place
    return values.index_select(0, place) if place.shape[0] else values


def _csr(pointer: Tensor, index: Tensor, values: Tensor, columns: int) -> Tensor:
    size = (pointer.shape[0] - 1, columns)
    return torch.sparse_csr_tensor(pointer, index, values, size, check_invariants=False)


def _gathered_product(weight: Tensor, x: Tensor, structure: EdgeStructure, transposed: bool) -> Tensor:
    rows, columns = (structure.source, structure.target) if transposed else (structure.target, structure.source)
    y = x.new_zeros(structure.in_features if transposed else structure.out_features, x.shape[1])
    for start in range(0, structure.num_edges, _block(x)):
        part = slice(start, start + _block(x))
        y.index_add_(0, rows[part], x.index_select(0, columns[part]) * weight[part].unsqueeze(1))
    return y


def _gathered_sampled(y: Tensor, x: Tensor, structure: EdgeStructure) -> Tensor:
    parts = []
    for start in range(0, structure.num_edges, _block(x)):
        part = slice(start, start + _block(x))
        parts.append((y.index_select(0, structure.target[part]) * x.index_select(0, structure.source[part])).sum(1))
    return torch.cat(parts)


def _block(x: Tensor) -> int:
    return max(1, _GATHERED_VALUES // max(1, x.shape[1]))


# torch warns once per process that these tensors are in beta; the tests here compare their products with dense ones.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    _csr(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), 1)
