"""Where the edges of a sparse layer lie, compressed by output and by input.

Legend of shapes: E edges, I inputs, O outputs.
"""

import hashlib
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from .checks import check_edges

__all__ = ["EdgeStructure"]

_LARGEST_INT32 = 2**31 - 1


class EdgeStructure(NamedTuple):
    """Integer tensors that say which input feeds which output, in the three orders that the kernels read.

    Build it with `from_edges`. The order of the edges given there is the order of the values of a layer; the
    compressed orders refer to it. A field of order is empty where the edges already lie in that order. The type is
    int32 wherever the numbers fit, which halves what the kernels read.

    Attributes:
        source: (E,) input of each edge.
        target: (E,) output of each edge.
        output_pointer: (O + 1,) start of each output's edges in `output_index`.
        output_index: (E,) inputs, sorted by output and then by input.
        output_order: (E,) the edge at each place of `output_index`.
        output_place: (E,) the place of each edge in `output_index`, the inverse of `output_order`.
        input_pointer: (I + 1,) start of each input's edges in `input_index`.
        input_index: (E,) outputs, sorted by input and then by output.
        input_order: (E,) the edge at each place of `input_index`.

    Example:
        >>> import torch
        >>> from axonlight.models.layers import EdgeStructure
        >>> structure = EdgeStructure.from_edges(torch.tensor([[2, 0, 2], [1, 0, 0]]), in_features=3, out_features=2)
        >>> structure.output_pointer.tolist(), structure.output_index.tolist(), structure.output_order.tolist()
        ([0, 2, 3], [0, 2, 2], [1, 2, 0])
        >>> structure.in_degree.tolist()
        [2, 1]
    """

    source: Tensor
    target: Tensor
    output_pointer: Tensor
    output_index: Tensor
    output_order: Tensor
    output_place: Tensor
    input_pointer: Tensor
    input_index: Tensor
    input_order: Tensor

    @classmethod
    def from_edges(cls, edges: Tensor, in_features: int, out_features: int) -> Self:
        """Check int64 edges (2, E), row 0 the input and row 1 the output, and compress them.

        Raises:
            InputError: If a size is not positive, or the edges are of another shape or type, are none, point outside
                the layer or stand twice.
        """
        check_edges(edges, in_features, out_features)
        source, target = edges.detach().cpu().numpy()
        return cls._compressed(source, target, in_features, out_features)

    @classmethod
    def _compressed(cls, source: np.ndarray, target: np.ndarray, in_features: int, out_features: int) -> Self:
        by_output, by_input = np.lexsort((source, target)), np.lexsort((target, source))
        wide = max(in_features, out_features, len(source)) > _LARGEST_INT32
        identity = np.arange(len(source))
        fields = (
            source,
            target,
            _pointer(target, out_features),
            source[by_output],
            by_output if (by_output != identity).any() else identity[:0],
            np.argsort(by_output) if (by_output != identity).any() else identity[:0],
            _pointer(source, in_features),
            target[by_input],
            by_input if (by_input != identity).any() else identity[:0],
        )
        kind = np.int64 if wide else np.int32
        return cls(*(torch.from_numpy(np.array(field, dtype=kind)) for field in fields))

    @property
    def in_features(self) -> int:
        """Number of inputs I."""
        return self.input_pointer.shape[0] - 1

    @property
    def out_features(self) -> int:
        """Number of outputs O."""
        return self.output_pointer.shape[0] - 1

    @property
    def num_edges(self) -> int:
        """Number of edges E."""
        return self.source.shape[0]

    @property
    def edges(self) -> Tensor:
        """The edges as given: int64 (2, E)."""
        return torch.stack([self.source, self.target]).long()

    @property
    def in_degree(self) -> Tensor:
        """Number of edges into each output, (O,)."""
        return self.output_pointer.diff()

    @property
    def out_degree(self) -> Tensor:
        """Number of edges out of each input, (I,)."""
        return self.input_pointer.diff()

    @property
    def digest(self) -> int:
        """A signed 64-bit number that another edge list, another order of it or other sizes would change."""
        sizes = np.array([self.in_features, self.out_features], dtype=np.int64).tobytes()
        content = np.ascontiguousarray(self.edges.cpu().numpy()).tobytes()
        return int.from_bytes(hashlib.sha256(sizes + content).digest()[:8], "little", signed=True)

    def to(self, device: torch.device | str) -> Self:
        """Return the structure on another device."""
        if self.source.device == torch.device(device):
            return self
        return type(self)(*(field.to(device) for field in self))

    def repeated(self, count: int) -> Self:
        """Return `count` copies side by side: a block-diagonal structure of count * I inputs and count * O outputs.

        The values of such a layer are those of the copies, one copy after the other.
        """
        edges, inputs, outputs = self.num_edges, self.in_features, self.out_features
        wide = count * max(edges, inputs, outputs) > _LARGEST_INT32
        steps = torch.arange(count, device=self.source.device, dtype=torch.int64 if wide else self.source.dtype)

        def shifted(field: Tensor, step: int) -> Tensor:
            return (field + (steps * step).unsqueeze(1)).flatten()

        def pointer(field: Tensor) -> Tensor:
            return torch.cat([field[:1].to(steps.dtype), shifted(field[1:], edges)])

        return type(self)(
            shifted(self.source, inputs),
            shifted(self.target, outputs),
            pointer(self.output_pointer),
            shifted(self.output_index, inputs),
            shifted(self.output_order, edges),
            shifted(self.output_place, edges),
            pointer(self.input_pointer),
            shifted(self.input_index, outputs),
            shifted(self.input_order, edges),
        )


def _pointer(nodes: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=count))])
