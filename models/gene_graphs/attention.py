"""`MembershipAttention`: what every pathway takes from its genes, weighted by attention.

Legend of shapes: S sources, P pathways, B patients, D width, H heads, C channels of a head, E edges.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...activations import ActivationSpec, build_activation
from ...activations.base import is_elementwise
from ...errors import InputError
from ..layers._eager import is_plain
from ..layers.dropout import draw_mask
from ._attention import EdgeAttention, composed_attention
from .structure import AttentionEdges

__all__ = ["MembershipAttention", "is_listened_to"]


def is_listened_to(module: nn.Module) -> bool:
    """Tell whether anybody hooked into a module or a part of it, and would miss or repeat what he waits for."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(part, kind) for part in module.modules() for kind in kinds)


class MembershipAttention(nn.Module):
    """Attention over the edges of a bipartite graph, for a batch of patients that share the graph.

    Source j and target i have states x_j and y_i. Per head, with W = `source`, V = `target`, a = `attention`:

        score_ij = a . activation(W x_j + V y_i),   weight_ij = softmax over the sources j of target i,
        out_i = mean over the heads, or their concatenation, of sum_j dropout(weight_ij) W x_j,   plus `bias`.

    The channels of an edge, H C numbers per patient, are made for some hundred edges at a time and made again in the
    backward pass; memory goes with sources, targets and E H weights. That holds for leaky ReLU and ReLU in eager mode;
    with another activation one patient's edges are held at a time, and in compiled graphs the compiler decides.

    Args:
        edges: int64 (2, E): source and target, sorted by target and then by source.
        num_sources: Number S of sources.
        num_targets: Number P of targets.
        width: Width D of the states.
        heads: Number H of heads.
        channels: Channels C of a head; None takes D.
        concatenated: Whether heads are concatenated instead of averaged.
        dropout: Share of edges and heads whose weight is zeroed in training, in [0, 1).
        activation: Spec of the activation inside the score; it sees every edge of every patient as a sample.

    Shape:
        - Sources: (S, B, D), targets: (P, B, D)
        - Output: (P, B, C) or (P, B, H C), and the weights (B, E, H) before dropout, without gradient

    Source: S. Brody, U. Alon and E. Yahav, How attentive are graph attention networks?, ICLR 2022, arXiv:2105.14491,
    eq. 7; equal to `torch_geometric.nn.GATv2Conv` with `add_self_loops=False` (tested).

    Raises:
        InputError: If a size is not positive or `dropout` is outside [0, 1).

    Example:
        >>> layer = MembershipAttention(np.array([[0, 1, 1], [0, 0, 1]]), 2, 2, width=8, heads=4)
        >>> out, weights = layer(torch.randn(2, 3, 8), torch.randn(2, 3, 8))
        >>> out.shape, weights.shape, weights[:, :2].sum(1).allclose(torch.ones(3, 4))
        (torch.Size([2, 3, 8]), torch.Size([3, 3, 4]), True)
    """

    def __init__(
        self,
        edges: NDArray[np.int64],
        num_sources: int,
        num_targets: int,
        width: int,
        heads: int = 4,
        channels: int | None = None,
        concatenated: bool = False,
        dropout: float = 0.0,
        activation: ActivationSpec = "leaky_relu(0.2)",
    ) -> None:
        super().__init__()
        channels = width if channels is None else channels
        for name, value in [("width", width), ("heads", heads), ("channels", channels)]:
            if value < 1:
                raise InputError(f"{name} is {value}; it must be a positive integer")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout is {dropout}; it must lie in [0, 1)")
        self.dropout = dropout
        self.source = nn.Linear(width, heads * channels)
        self.target = nn.Linear(width, heads * channels)
        self.attention = nn.Parameter(torch.empty(heads, channels))
        self.bias = nn.Parameter(torch.zeros(heads * channels if concatenated else channels))
        self.activation = build_activation(activation, width=heads * channels, groups=1)
        # No buffers: data-parallel training would send them at every step.
        self.edges = AttentionEdges.from_edges(edges, num_sources, num_targets, heads, concatenated)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights by Glorot's bound and set the last bias to 0."""
        for linear in (self.source, self.target):
            nn.init.xavier_uniform_(linear.weight)
        bound = math.sqrt(6 / sum(self.attention.shape))
        nn.init.uniform_(self.attention, -bound, bound)
        nn.init.zeros_(self.bias)

    def forward(
        self, sources: Tensor, targets: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return what targets take from sources, and the weights; a generator draws the dropout in eager mode."""
        device, result = sources.device.type, sources.dtype
        if torch.is_autocast_enabled(device) and result != torch.float64:
            result = torch.get_autocast_dtype(device)
        # Half types are computed in float32, as sums over hundreds of genes and a softmax should be.
        compute = torch.float32 if result.itemsize < 4 else result
        with torch.autocast(device, enabled=False):
            sums, weights = self._attended(sources.to(compute), targets.to(compute), compute, generator)
        return sums.to(result), weights

    def _attended(
        self, sources: Tensor, targets: Tensor, compute: torch.dtype, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        parameters = [item.to(compute) for item in (self.source.weight, self.source.bias, self.attention)]
        target = nn.functional.linear(targets, self.target.weight.to(compute), self.target.bias.to(compute))
        mask, slope = self._mask(sources, generator), self._leaky_slope()
        if slope is not None and is_plain():
            options = self.edges, slope, torch.is_grad_enabled()
            sums, weights = EdgeAttention.apply(sources, target, *parameters, mask, *options)  # type: ignore[misc]
        else:
            sums, weights = self._one_by_one(sources, target, parameters, mask)
        return sums + self.bias.to(compute), weights.detach()

    def _mask(self, sources: Tensor, generator: torch.Generator | None) -> Tensor | None:
        if not self.training or not self.dropout:
            return None
        shape = (sources.shape[1], len(self.edges.source), self.edges.heads)
        if is_plain():
            return draw_mask(sources.new_empty(shape), self.dropout, generator)
        return nn.functional.dropout(sources.new_ones(shape), self.dropout)

    def _leaky_slope(self) -> float | None:
        """Return the slope of the activation below 0 where it has one kernel with the rest and nobody listens to it."""
        module = self.activation
        if is_listened_to(module):
            return None
        if type(module) is nn.ReLU:
            return 0.0
        return module.negative_slope if type(module) is nn.LeakyReLU else None

    def _one_by_one(
        self, sources: Tensor, target: Tensor, parameters: list[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Attend patient by patient in torch's operators, and again in the backward pass instead of keeping edges."""
        run: Callable[..., tuple[Tensor, Tensor]] = composed_attention
        keep = torch.compiler.is_compiling() or not torch.is_grad_enabled()
        # The state of torch's generator belongs to all threads; who draws nothing leaves it alone.
        again = partial(checkpoint, use_reentrant=False, preserve_rng_state=not is_elementwise(self.activation))
        found = []
        for patient in range(sources.shape[1]):
            arguments = (
                sources[:, patient],
                target[:, patient],
                *parameters,
                None if mask is None else mask[patient],
                self.edges,
                self.activation,
            )
            found.append(run(*arguments) if keep else again(run, *arguments))
        sums, weights = zip(*found, strict=True)
        return torch.stack(sums, 1), torch.stack(weights)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        if not self.attention.is_meta:
            self.edges = self.edges.to(self.attention.device)
        return self
