"""The gene encoder as it was published: GraphSAGE twice, layer norm, attention of pathways to genes.

Legend of shapes: N nodes (G genes, then P pathways), B patients, D width.
"""

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, LayerActivations, build_activation
from .attention import MembershipAttention
from .channel_dropout import ChannelDropout
from .edges import GraphEdges, one_per_place
from .messages import GraphSample
from .patients import PatientLayers
from .typed import patients_first

__all__ = ["PublishedLayers"]


class PublishedLayers(PatientLayers):
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

    def states(self, expression: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Return pathways (P, B, D) and attention weights (B, E, H) of expression (G, B)."""
        x = torch.cat([expression, expression.new_zeros(self.num_pathways, expression.shape[1])]).unsqueeze(2)
        x = self.dropout(patients_first(self.activations[0], self.first(x)), generator)
        x = self.norm(self.dropout(patients_first(self.activations[1], self.second(x)), generator))
        genes, pathways = x.split([self.num_genes, self.num_pathways])
        sources = genes if self.num_sources == self.num_genes else x
        pathways, weights = self.attention(sources, pathways, generator)
        return patients_first(self.activations[2], pathways), weights

    def activation_paths(self) -> dict[str, str]:
        """Return the path of the activation of every place."""
        return {place: f"activations.{number}" for number, place in enumerate(self.places)}
