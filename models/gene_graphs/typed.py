"""A gene encoder that knows which gene is which, and parents from children.

Legend of shapes: G genes, P pathways, B patients, D width, R width of an identity, H heads, E memberships.
"""

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, LayerActivations, build_activation
from ...errors import InputError
from .attention import MembershipAttention
from .channel_dropout import ChannelDropout
from .edges import GraphEdges, one_per_place
from .messages import NeighbourMean
from .patients import PatientLayers

__all__ = ["TypedLayers", "TypedRound"]

# Pathways start at a tenth of what a linear map gives; at 0 some weights would have no gradient in the first step.
_START = 0.1
# An optimiser's steps are of one size: small identities turn into others sooner. The maps of them make up for it.
_IDENTITY = 0.1


class TypedRound(nn.Module):
    """One exchange of messages, with weights of its own for every type of edge.

    genes: g + activation(W mean over its pathways), from the second round on and unless flat; pathways: norm of
    p + dropout(activation(attention to its genes + V p + W' mean over its children + W'' mean over its parents)).

    Args:
        edges: The edges.
        width: Width D.
        heads: Number H of heads, of D / H channels each.
        dropout: Share of attention weights, and of the messages' channels, zeroed in training.
        gene_activation: Spec for messages to genes; None leaves genes as they are.
        activation: Spec for messages to pathways.
        attention_activation: Spec inside the attention.

    Shape:
        - Genes: (G, B, D), pathways: (P, B, D)
        - Output: the same, and attention weights (B, E, H)

    Example:
        >>> import numpy as np
        >>> from axonlight.models.gene_graphs import GenePathwayGraph
        >>> from axonlight.models.gene_graphs.edges import graph_edges
        >>> graph = GenePathwayGraph.from_gene_sets({"death": ["TP53"]}, ["TP53"])
        >>> layer = TypedRound(graph_edges(graph, "bipartite"), 8, 2, 0.0, None, "relu", "leaky_relu(0.2)")
        >>> [item.shape for item in layer(torch.zeros(1, 3, 8), torch.zeros(1, 3, 8))][1:]
        [torch.Size([1, 3, 8]), torch.Size([3, 1, 2])]
    """

    def __init__(
        self,
        edges: GraphEdges,
        width: int,
        heads: int,
        dropout: float,
        gene_activation: ActivationSpec | None,
        activation: ActivationSpec,
        attention_activation: ActivationSpec,
    ) -> None:
        super().__init__()
        sizes = edges.num_genes, edges.num_pathways
        self.gene_activation = None
        if gene_activation is not None:
            self.to_genes = nn.Linear(width, width)
            self.mean_of_pathways = NeighbourMean(edges.memberships[::-1], sizes[1], sizes[0])
            self.gene_activation = build_activation(gene_activation, width=width, groups=1)
        self.attention = MembershipAttention(
            edges.memberships, *sizes, width, heads, width // heads, True, dropout, attention_activation
        )
        self.itself = nn.Linear(width, width, bias=False)
        self.has_relations = edges.relations.shape[1] > 0
        if self.has_relations:
            self.from_children = nn.Linear(width, width, bias=False)
            self.from_parents = nn.Linear(width, width, bias=False)
            self.mean_of_children = NeighbourMean(edges.relations, sizes[1], sizes[1])
            self.mean_of_parents = NeighbourMean(edges.relations[::-1], sizes[1], sizes[1])
        self.activation = build_activation(activation, width=width, groups=1)
        self.dropout = ChannelDropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, genes: Tensor, pathways: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return genes, pathways and attention weights."""
        if self.gene_activation is not None:
            message = self.mean_of_pathways(self.to_genes(pathways))
            genes = genes + self.dropout(patients_first(self.gene_activation, message), generator)
        message, weights = self.attention(genes, pathways, generator)
        message = message + self.itself(pathways)
        if self.has_relations:
            message = message + self.from_children(self.mean_of_children(pathways))
            message = message + self.from_parents(self.mean_of_parents(pathways))
        pathways = self.norm(pathways + self.dropout(patients_first(self.activation, message), generator))
        return genes, pathways, weights


class TypedLayers(PatientLayers):
    """Expression to states of pathways: an identity per gene and pathway, then rounds of messages.

    A gene starts at activation(x u + v), whose vectors u and v are linear in its identity e of R trainable numbers, so
    that equal expression of two genes means different things; a pathway starts at a vector linear in its own identity.
    After the last round each state of a pathway is multiplied by a vector of its own: a sum over pathways then holds
    many different mixtures of them. Without it every channel sums what all pathways share, which is nearly all that
    such networks learn from in their first ten epochs. What does not depend on the expression, v and the start of
    pathways, begins at 0 or nearly so: a layer norm of sums would show that alone.

    Args:
        edges: The edges.
        width: Width D.
        heads: Number of heads; it divides the width.
        dropout: Share zeroed in training.
        activation: One spec for all places, or one per place of `places`.
        attention_activation: Spec inside the attention.
        identity_width: Width R of an identity.
        rounds: Number of rounds.

    Shape:
        - Input: (G, B)
        - Output: (P, B, D), and the attention weights (B, E, H) of the last round

    Raises:
        InputError: If a size is unusable.

    Example:
        >>> from axonlight.models.gene_graphs import GenePathwayGraph
        >>> from axonlight.models.gene_graphs.edges import graph_edges
        >>> graph = GenePathwayGraph.from_gene_sets({"death": ["TP53", "BAX"]}, ["TP53", "BAX"])
        >>> layers = TypedLayers(graph_edges(graph, "bipartite"), 8, 2, 0.0, "relu", "leaky_relu(0.2)")
        >>> layers(torch.zeros(2, 3))[0].shape, layers.places
        (torch.Size([1, 3, 8]), ('genes', 'pathways_0', 'genes_1', 'pathways_1'))
    """

    def __init__(
        self,
        edges: GraphEdges,
        width: int,
        heads: int,
        dropout: float,
        activation: LayerActivations,
        attention_activation: ActivationSpec,
        identity_width: int = 64,
        rounds: int = 2,
    ) -> None:
        super().__init__()
        if identity_width < 1 or rounds < 1:
            name, value = ("identity_width", identity_width) if identity_width < 1 else ("rounds", rounds)
            raise InputError(f"{name} is {value}; it must be a positive integer")
        if heads < 1 or width % heads:
            raise InputError(f"heads is {heads}, which does not divide the width {width}")
        is_flat = edges.into_genes.shape[1] == 0
        places = ["genes"]
        for number in range(rounds):
            places += [f"genes_{number}"] if number and not is_flat else []
            places.append(f"pathways_{number}")
        specs = dict(zip(places, one_per_place(activation, len(places)), strict=True))
        self.places = tuple(places)
        self.gene_identity = nn.Parameter(torch.empty(edges.num_genes, identity_width))
        self.pathway_identity = nn.Parameter(torch.empty(edges.num_pathways, identity_width))
        self.slope, self.offset, self.start = (nn.Linear(identity_width, width) for _ in range(3))
        self.factors = nn.Parameter(torch.empty(edges.num_pathways, width))
        self.activation = build_activation(specs["genes"], width=width, groups=1)
        self.rounds = nn.ModuleList(
            TypedRound(
                edges,
                width,
                heads,
                dropout,
                specs.get(f"genes_{number}"),
                specs[f"pathways_{number}"],
                attention_activation,
            )
            for number in range(rounds)
        )
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Begin with states that depend on the expression, and with identities that a few steps can change."""
        for identity in (self.gene_identity, self.pathway_identity):
            identity.normal_(std=_IDENTITY)
        for linear in (self.slope, self.offset, self.start):
            linear.reset_parameters()
            linear.weight.div_(_IDENTITY)
        for parameter in self.offset.parameters():
            parameter.zero_()
        for parameter in self.start.parameters():
            parameter.mul_(_START)
        self.factors.normal_()

    def states(self, expression: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Return pathways (P, B, D) and attention weights (B, E, H) of expression (G, B)."""
        slope, offset = self.slope(self.gene_identity), self.offset(self.gene_identity)
        states = torch.addcmul(offset.unsqueeze(1), expression.unsqueeze(2), slope.unsqueeze(1))
        genes = patients_first(self.activation, states)
        pathways = self.start(self.pathway_identity).unsqueeze(1).expand(-1, expression.shape[1], -1)
        weights = expression
        for layer in self.rounds:
            genes, pathways, weights = layer(genes, pathways, generator)
        return pathways * self.factors.unsqueeze(1), weights

    def activation_paths(self) -> dict[str, str]:
        """Return the path of the activation of every place."""
        paths = {"genes": "activation"}
        for number in range(len(self.rounds)):
            paths[f"genes_{number}"] = f"rounds.{number}.gene_activation"
            paths[f"pathways_{number}"] = f"rounds.{number}.activation"
        return {place: paths[place] for place in self.places}


def patients_first(activation: nn.Module, x: Tensor) -> Tensor:
    """Apply an activation to states (N, B, D) as it expects them: (B, N, D), patients first."""
    return activation(x.transpose(0, 1)).transpose(0, 1)
