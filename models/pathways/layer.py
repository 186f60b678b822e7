"""One layer of a pathway network.

Legend of shapes: B batch, N nodes, k units per node.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...activations import build_activation
from ..layers import EdgeLinear
from ..layers.choice import Backend
from ..layers.dropout import UnitDropout
from .wiring import Wiring

__all__ = ["PathwayLayer", "UnitBatchNorm", "build_norm", "side_by_side"]


class UnitBatchNorm(nn.BatchNorm1d):
    """Batch normalisation that keeps the memory layout of a sparse layer's output.

    Its kernels leave the samples of a unit side by side. torch copies such a batch into rows, and the next sparse
    layer would copy it back; as one "image" per unit, whose pixels are the samples, it is read where it lies.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name for it)
        """Normalise (B, N * k) over the samples."""
        if input.dim() == 2 and input.stride(0) == 1 and input.shape[1] > 1:
            return super().forward(input.t().unsqueeze(0)).squeeze(0).t()
        return super().forward(input)


def side_by_side(inputs: Sequence[Tensor]) -> Tensor:
    """Put units (B, N) of several layers side by side; what all replicas share joins what each has, (R, B, N)."""
    if len(inputs) == 1:
        return inputs[0]
    leading = torch.broadcast_shapes(*[x.shape[:-1] for x in inputs])
    return torch.cat([x.expand(*leading, -1) for x in inputs], dim=-1)


def build_norm(kind: str, width: int) -> nn.Module:
    """Return the normalisation of a layer."""
    return {"batch": UnitBatchNorm, "layer": nn.LayerNorm, "none": nn.Identity}[kind](width)


class PathwayLayer(nn.Module):
    """Sparse linear map, norm, activation and dropout of the units of one layer of a hierarchy.

    The units of a node lie side by side: unit j of node n is output n * k + j.

    Args:
        wiring: Where its inputs come from, and the edges.
        nodes: Names of the layer's nodes.
        activation: Spec of the activation.
        activation_parameters: Whether trainable values of the activation are one per "layer", "node" or "unit".
        norm: "batch", "layer" or "none".
        dropout: Share of units zeroed in training.
        backend: Kernel of the sparse layer.

    Attributes:
        linear: The `EdgeLinear`.
        norm: The normalisation, or an identity.
        activation: The activation.
        dropout: The dropout, or an identity.
        sources: Places of the layers that it reads.

    Shape:
        - Inputs: one (B, width) per source
        - Output: (B, N * k)

    Example:
        >>> import torch
        >>> from axonlight.models.pathways.wiring import Wiring
        >>> wiring = Wiring(1, 1, (0,), (3,), torch.tensor([[0, 1, 2], [0, 0, 1]]))
        >>> layer = PathwayLayer(wiring, ["repair", "death"], "ash", activation_parameters="node", norm="none")
        >>> layer(torch.zeros(4, 3)).shape, layer.activation.group_names
        (torch.Size([4, 2]), ('repair', 'death'))
    """

    def __init__(
        self,
        wiring: Wiring,
        nodes: Sequence[str],
        activation: Any,
        *,
        activation_parameters: str = "layer",
        norm: str = "batch",
        dropout: float = 0.0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.place, self.units, self.sources = wiring.place, wiring.units, wiring.sources
        self.widths = wiring.widths
        width = len(nodes) * wiring.units
        groups = {"layer": 1, "unit": None, "node": [name for name in nodes for _ in range(wiring.units)]}
        self.linear = EdgeLinear(wiring.edges, sum(wiring.widths), width, backend=backend)
        self.norm = build_norm(norm, width)
        self.linear.is_bias_lost = norm == "batch"
        self.activation = build_activation(activation, width=width, groups=groups[activation_parameters])
        self.dropout = UnitDropout(dropout) if dropout else nn.Identity()

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map the outputs of the layers it reads to (B, N * k)."""
        return self.dropout(self.activation(self.norm(self.linear(side_by_side(inputs)))))
