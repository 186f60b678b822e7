"""The two products of a sparse layer as Triton kernels, for GPUs.

Every sum is the work of one program, in an order that depends on the sizes of the tensors alone: no atomic additions
and no trials of block sizes at run time, so the same input gives the same bits. Nothing here waits for the device or
looks at values, which keeps CUDA graphs possible.

Legend of shapes: E edges, I inputs, O outputs, B samples; x_IB, y_OB.
"""

# ruff: noqa: ANN001, ANN202 - what a kernel takes is compiled, not called
# pyright: reportMissingImports=false

import math
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .structure import EdgeStructure

__all__ = ["triton_product", "triton_sampled"]

# Values that a program adds up at once: enough to keep loads in flight, few enough to stay in registers.
_TILE = 1024
_WIDEST = 128

# torch brings triton along with CUDA only; elsewhere this file loads and holds no kernels.
if TYPE_CHECKING or find_spec("triton"):
    import triton
    from triton import language as tl

    @triton.jit
    def _product_kernel(
        pointer,
        index,
        order,
        weight,
        x,
        y,
        samples,
        is_ordered: tl.constexpr,
        kind: tl.constexpr,
        edge_block: tl.constexpr,
        sample_block: tl.constexpr,
    ):
        """Add up the weighted rows of x that the edges of one output name, for a block of samples."""
        row = tl.program_id(0).to(tl.int64)
        columns = tl.program_id(1) * sample_block + tl.arange(0, sample_block)
        stop = tl.load(pointer + row + 1)
        total = tl.zeros((edge_block, sample_block), kind)
        for first in range(tl.load(pointer + row), stop, edge_block):
            places = first + tl.arange(0, edge_block)
            exists = places < stop
            edges = places if is_ordered else tl.load(order + places, mask=exists, other=0)
            values = tl.load(weight + edges, mask=exists, other=0).to(kind)
            starts = tl.load(index + places, mask=exists, other=0).to(tl.int64) * samples
            inside = exists[:, None] & (columns < samples)[None, :]
            total += values[:, None] * tl.load(x + starts[:, None] + columns[None, :], mask=inside, other=0).to(kind)
        tl.store(y + row * samples + columns, tl.sum(total, 0), mask=columns < samples)

    @triton.jit
    def _sampled_kernel(
        source,
        target,
        order,
        y,
        x,
        products,
        count,
        samples,
        is_ordered: tl.constexpr,
        kind: tl.constexpr,
        edge_block: tl.constexpr,
        sample_block: tl.constexpr,
    ):
        """Multiply the rows at both ends of a block of edges, all samples."""
        places = tl.program_id(0) * edge_block + tl.arange(0, edge_block)
        exists = places < count
        edges = places if is_ordered else tl.load(order + places, mask=exists, other=0)
        rows = tl.load(target + edges, mask=exists, other=0).to(tl.int64) * samples
        columns = tl.load(source + edges, mask=exists, other=0).to(tl.int64) * samples
        total = tl.zeros((edge_block, sample_block), kind)
        for first in range(0, samples, sample_block):
            block = first + tl.arange(0, sample_block)
            inside = exists[:, None] & (block < samples)[None, :]
            left = tl.load(y + rows[:, None] + block[None, :], mask=inside, other=0).to(kind)
            total += left * tl.load(x + columns[:, None] + block[None, :], mask=inside, other=0).to(kind)
        tl.store(products + edges, tl.sum(total, 1), mask=exists)


def triton_product(weight: Tensor, x: Tensor, structure: EdgeStructure, transposed: bool) -> Tensor:
    """Return the sparse product (O, B) of x (I, B), or (I, B) of (O, B) if transposed; at least one sample."""
    if transposed:
        pointer, index, order = structure.input_pointer, structure.input_index, structure.input_order
    else:
        pointer, index, order = structure.output_pointer, structure.output_index, structure.output_order
    x, weight = x.contiguous(), weight.contiguous()
    rows, samples = pointer.shape[0] - 1, x.shape[1]
    y = x.new_empty(rows, samples)
    sample_block = _sample_block(samples)
    edge_block = min(_TILE // sample_block, _power_of_two(structure.num_edges / rows), 16)
    kernel: Any = _product_kernel  # type checkers see the function where triton is missing
    with torch.cuda.device_of(x):
        kernel[rows, -(-samples // sample_block)](
            pointer, index, order, weight, x, y, samples, **_options(order, x, edge_block, sample_block)
        )
    return y


def triton_sampled(y: Tensor, x: Tensor, structure: EdgeStructure) -> Tensor:
    """Return for each edge the inner product (E,) of its rows in y (O, B) and x (I, B); at least one sample."""
    # Sorted by output: neighbours read the same row of y, which then lies in the cache.
    source, target, order = structure.source, structure.target, structure.output_order
    y, x = y.contiguous(), x.contiguous()
    count, samples = structure.num_edges, x.shape[1]
    products = x.new_empty(count)
    sample_block = _sample_block(samples)
    edge_block = _TILE // sample_block
    kernel: Any = _sampled_kernel
    with torch.cuda.device_of(x):
        kernel[(-(-count // edge_block),)](
            source, target, order, y, x, products, count, samples, **_options(order, x, edge_block, sample_block)
        )
    return products


def _sample_block(samples: int) -> int:
    return min(max(_power_of_two(samples), 16), _WIDEST)


def _power_of_two(number: float) -> int:
    """Return the smallest one that is not below."""
    return 1 << (math.ceil(number) - 1).bit_length()


def _options(order: Tensor, x: Tensor, edge_block: int, sample_block: int) -> dict[str, Any]:
    return {
        "is_ordered": order.shape[0] == 0,
        "kind": tl.float64 if x.dtype == torch.float64 else tl.float32,
        "edge_block": edge_block,
        "sample_block": sample_block,
        "num_warps": max(1, min(4, edge_block * sample_block // 256)),
    }
