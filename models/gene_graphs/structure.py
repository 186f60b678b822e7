"""Edges of the attention from genes to pathways, as the kernels read them.

Legend: S sources, P pathways (targets), E edges, H heads.
"""

from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..layers import EdgeStructure

__all__ = ["AttentionEdges", "chunks"]


class AttentionEdges(NamedTuple):
    """Edges sorted by target, and the same edges once per head as a sparse layer that sums what the heads attend to.

    Attributes:
        source: int64 (E,) source of each edge.
        target: int64 (E,) target of each edge, ascending.
        pointer: int64 (P + 1,) start of each target's edges.
        heads: Number H of heads.
        sums: E H edges, those of an edge side by side, from (source, head) to the target or, where the heads are kept
            apart, to (target, head).

    Example:
        >>> import numpy as np
        >>> edges = AttentionEdges.from_edges(np.array([[0, 1, 1], [0, 0, 1]]), 2, 2, heads=4, concatenated=False)
        >>> edges.pointer.tolist(), edges.sums.in_features, edges.sums.out_features
        ([0, 2, 3], 8, 2)
    """

    source: Tensor
    target: Tensor
    pointer: Tensor
    heads: int
    sums: EdgeStructure

    @classmethod
    def from_edges(
        cls, edges: NDArray[np.int64], num_sources: int, num_targets: int, heads: int, concatenated: bool
    ) -> Self:
        """Compress int64 edges (2, E), sorted by target and then by source."""
        source, target = torch.from_numpy(np.ascontiguousarray(edges))
        head = torch.arange(heads)
        inputs = (source.unsqueeze(1) * heads + head).flatten()
        outputs = target.repeat_interleave(heads)
        if concatenated:
            outputs = outputs * heads + head.repeat(len(target))
        sums = EdgeStructure.from_edges(
            torch.stack([inputs, outputs]), num_sources * heads, num_targets * (heads if concatenated else 1)
        )
        counts = torch.bincount(target, minlength=num_targets)
        pointer = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return cls(source, target, pointer, heads, sums)

    def to(self, device: torch.device | str) -> Self:
        """Return it on another device."""
        if self.source.device == torch.device(device):
            return self
        moved = (self.source.to(device), self.target.to(device), self.pointer.to(device))
        return type(self)(*moved, self.heads, self.sums.to(device))


def chunks(pointer: Tensor, most: int) -> list[tuple[int, int, int, int]]:
    """Cut edges into runs of whole targets, of `most` edges or of one target: (edge, edge, target, target).

    Example:
        >>> chunks(torch.tensor([0, 2, 3, 9, 10]), most=4)
        [(0, 3, 0, 2), (3, 9, 2, 3), (9, 10, 3, 4)]
    """
    ends = pointer.tolist()
    found, first = [], 0
    for target in range(1, len(ends)):
        last = target == len(ends) - 1
        if last or ends[target + 1] - ends[first] > most:
            found.append((ends[first], ends[target], first, target))
            first = target
    return found
