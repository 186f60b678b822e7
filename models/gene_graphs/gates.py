"""How much each pathway counts: a softmax over the pathways of a patient.

Legend of shapes: B patients, P pathways, D width, L depths.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["DepthGate", "PathwayGate"]


class PathwayGate(nn.Module):
    """softmax over the pathways of w . token + b, one w for all of them.

    A softmax does not feel what is added to all its scores: the gradient of b is 0. The published encoder counts it.

    Args:
        width: Width D of a token.

    Shape:
        - Input: (B, P, D)
        - Output: (B, P)

    Example:
        >>> PathwayGate(4)(torch.randn(2, 3, 4)).sum(1).allclose(torch.ones(2))
        True
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the gates."""
        return self.score(tokens).squeeze(2).softmax(1)


class DepthGate(nn.Module):
    """softmax over the pathways of (w + w_l) . token + b_l, where l is the depth of the pathway.

    Pathways near the root hold many genes and those far from it few; a shared vector would weigh them by that alone.
    w_l and b_l start at 0. With a single depth there are none, since w says it all.

    Args:
        width: Width D of a token.
        depths: Depth of each pathway, int64 (P,).

    Shape:
        - Input: (B, P, D)
        - Output: (B, P)

    Example:
        >>> gate = DepthGate(4, np.array([1, 2, 2]))
        >>> gate(torch.randn(2, 3, 4)).shape, gate.by_depth.shape
        (torch.Size([2, 3]), torch.Size([2, 4]))
    """

    depth: Tensor

    def __init__(self, width: int, depths: NDArray[np.int64]) -> None:
        super().__init__()
        known, place = np.unique(depths, return_inverse=True)
        self.shared = nn.Linear(width, 1, bias=False)
        self.by_depth = nn.Parameter(torch.zeros(len(known), width)) if len(known) > 1 else None
        self.offset = nn.Parameter(torch.zeros(len(known))) if len(known) > 1 else None
        # Part of the architecture, not of the learned state.
        self.register_buffer("depth", torch.from_numpy(place), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the gates."""
        scores = self.shared(tokens).squeeze(2)
        if self.by_depth is not None and self.offset is not None:
            vectors = self.by_depth[self.depth]
            scores = scores + torch.einsum("bpd,pd->bp", tokens, vectors) + self.offset[self.depth]
        return scores.softmax(1)
