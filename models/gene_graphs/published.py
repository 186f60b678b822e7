"""The gene encoder as it was published: GraphSAGE twice, layer norm, attention of pathways to genes.

Legend of shapes: N nodes (G genes, then P pathways), B patients, D width.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...activations import ActivationSpec, LayerActivations, build_activation
from ..layers._eager import is_plain
from .attention import MembershipAttention, is_listened_to
from .channel_dropout import ChannelDropout
from .edges import GraphEdges, one_per_place
from .messages import GraphSample
from .typed import patients_first

__all__ = ["PublishedLayers"]

# Between layers the states of all nodes take 2.7 MB a patient, ten times over. Blocks of patients pass through the same
# memory, and their states are made again in the backward pass: fetching new memory takes longer than that.
_PATIENTS_AT_A_TIME = 2


class PublishedLayers(nn.Module):
    """Expression to states of pathways, with one set of weights for genes and pathways and no gene's identity.

    GraphSAGE 1 -> D, activation, dropout, GraphSAGE D -> D, activation, dropout, layer norm, attention of pathways to
    what leads to them (mean of the heads), activation. Pathways start at 0.

    Args:
        edges: The edges.
        width: Width D.
        heads: Number H of heads, of D channels each.
        dropout: Share of channels and of attention weights zeroed in training.
        activation: One spec for all three places, or a list of three.
        attention_activation: Spec inside the attention.

    Shape:
        - Input: (G, B)
        - Output: (P, B, D), and the attention weights (B, E, H)

    Source: A. Gallagher-Syed et al., ProtoPathway, arXiv:2605.21454.

    Example:
        >>> from axonlight.models.gene_graphs import GenePathwayGraph
        >>> from axonlight.models.gene_graphs.edges import graph_edges
        >>> graph = GenePathwayGraph.from_gene_sets({"death": ["TP53", "BAX"]}, ["TP53", "BAX"])
        >>> layers = PublishedLayers(graph_edges(graph, "bipartite"), 128, 4, 0.25, "leaky_relu", "leaky_relu(0.2)")
        >>> layers(torch.zeros(2, 3))[0].shape, sum(parameter.numel() for parameter in layers.parameters())
        (torch.Size([1, 3, 128]), 166272)
    """

    places = ("first", "second", "attended")

    def __init__(
        self,
        edges: GraphEdges,
        width: int,
        heads: int,
        dropout: float,
        activation: LayerActivations,
        attention_activation: ActivationSpec,
    ) -> None:
        super().__init__()
        sizes = edges.num_genes, edges.num_pathways
        self.num_genes, self.num_pathways, self.num_sources = *sizes, edges.num_sources
        self.first = GraphSample(edges.into_pathways, edges.into_genes, *sizes, 1, width)
        self.second = GraphSample(edges.into_pathways, edges.into_genes, *sizes, width, width)
        specs = one_per_place(activation, len(self.places))
        self.activations = nn.ModuleList(build_activation(spec, width=width, groups=1) for spec in specs)
        self.dropout = ChannelDropout(dropout)
        self.norm = nn.LayerNorm(width)
        self.attention = MembershipAttention(
            edges.into_pathways,
            edges.num_sources,
            edges.num_pathways,
            width,
            heads,
            dropout=dropout,
            activation=attention_activation,
        )

    def forward(self, expression: Tensor) -> tuple[Tensor, Tensor]:
        """Return pathways and attention weights of expression (G, B)."""
        if not self._in_blocks(expression):
            return self._block(expression, self._states)
        keep = torch.is_grad_enabled()
        states = partial(checkpoint, self._states, use_reentrant=False) if keep else self._states
        found = [self._block(block, states) for block in expression.split(_PATIENTS_AT_A_TIME, dim=1)]
        pathways, weights = zip(*found, strict=True)
        return torch.cat(pathways, 1), torch.cat(weights)

    def _in_blocks(self, expression: Tensor) -> bool:
        """Whether patients may go in blocks: on a processor, where nothing looks into the layers."""
        return expression.device.type == "cpu" and expression.shape[1] > 0 and is_plain() and not is_listened_to(self)

    def _block(self, expression: Tensor, states: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        x = states(expression)
        genes, pathways = x.split([self.num_genes, self.num_pathways])
        pathways, weights = self.attention(genes if self.num_sources == self.num_genes else x, pathways)
        return patients_first(self.activations[2], pathways), weights

    def _states(self, expression: Tensor) -> Tensor:
        """Return what the attention takes, (N, B, D)."""
        x = torch.cat([expression, expression.new_zeros(self.num_pathways, expression.shape[1])]).unsqueeze(2)
        x = self.dropout(patients_first(self.activations[0], self.first(x)))
        return self.norm(self.dropout(patients_first(self.activations[1], self.second(x))))

    def activation_paths(self) -> dict[str, str]:
        """Return the path of the activation of every place."""
        return {place: f"activations.{number}" for number, place in enumerate(self.places)}
