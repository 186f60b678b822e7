"""`GeneGraphEncoder`: expression of genes to tokens of pathways, over one graph that all patients share.

Legend of shapes: B patients, F columns, G genes, P pathways, E memberships, D width, H heads.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, LayerActivations
from ...errors import InputError
from ..sites import Site
from .edges import HierarchyUse, graph_edges, used_graph
from .gates import DepthGate, PathwayGate
from .graph import GenePathwayGraph
from .published import PublishedLayers
from .typed import TypedLayers

__all__ = ["GeneGraphEncoder", "GraphVariant", "PathwayTokens"]

GraphVariant = Literal["published", "typed"]


class PathwayTokens(NamedTuple):
    """What a gene encoder says of each patient.

    Attributes:
        tokens: (B, P, D) states of the pathways.
        gates: (B, P) weight of each pathway; they add up to 1.

    Example:
        >>> PathwayTokens(torch.ones(2, 3, 4), torch.full((2, 3), 1 / 3)).summary().shape
        torch.Size([2, 4])
    """

    tokens: Tensor
    gates: Tensor

    def summary(self) -> Tensor:
        """Return the sum of the tokens weighted by the gates, (B, D)."""
        return torch.einsum("bp,bpd->bd", self.gates, self.tokens)


class GeneGraphEncoder(nn.Module):
    """Graph neural network from genes to pathways, for a whole batch over one graph.

    "published": GraphSAGE, GraphSAGE, layer norm, GATv2 and a gate, one set of weights for all nodes; its inputs are
    the expressions alone. "typed": identities of genes and pathways, weights of their own for every type of edge
    (gene to pathway, pathway to gene, child to parent, parent to child), and gates that know the pathway's depth.

    Args:
        graph: Genes, pathways and their edges.
        variant: "published" or "typed".
        hierarchy: Which edges carry messages. "flat": from genes to their pathways; "bipartite": and back;
            "hierarchical": and between parents and children; "shuffled": the same with the relations of a draw of
            `ShuffleHierarchy`, the control of "hierarchical".
        width: Width D of the states.
        heads: Heads of the attention: of D channels each if published, of D / H if typed.
        dropout: Share of channels, and of attention weights per edge and head, zeroed in training.
        activation: One spec for all places, or one per place of `places`.
        attention_activation: Spec inside the attention, which sees every edge of a patient as a sample.
        identity_width: Width of the identities of genes and pathways. Typed only.
        rounds: Rounds of messages. Typed only.
        shuffle_seed: Seed of the draw of "shuffled".

    Attributes:
        graph: The graph, with the relations that are used.
        places: Names of the places where an activation stands.

    Shape:
        - Input: (B, F)
        - Output: `PathwayTokens`: (B, P, D) and (B, P)

    Raises:
        InputError: If an option is unusable, the graph lacks the relations, the input has another width, or a state
            of another graph is loaded.

    Source: published: A. Gallagher-Syed et al., ProtoPathway, arXiv:2605.21454; typed: docs/models/gene_graphs.md.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
        >>> graph = GenePathwayGraph.from_hierarchy(Hierarchy.from_edges(edges), ["TP53", "BRCA1", "ACTB"])
        >>> encoder = GeneGraphEncoder(graph, variant="typed", hierarchy="hierarchical", width=32, activation="ash")
        >>> tokens, gates = encoder(torch.randn(5, 3))
        >>> tokens.shape, gates.shape, encoder.gene_weights(torch.randn(5, 3)).shape
        (torch.Size([5, 3, 32]), torch.Size([5, 3]), torch.Size([5, 4]))
        >>> sum(parameter.numel() for parameter in GeneGraphEncoder(graph).parameters())
        166401
    """

    graph_digest: Tensor
    columns: Tensor
    gene_edges: Tensor

    def __init__(
        self,
        graph: GenePathwayGraph,
        variant: GraphVariant = "published",
        hierarchy: HierarchyUse = "bipartite",
        width: int = 128,
        heads: int = 4,
        dropout: float = 0.25,
        activation: LayerActivations = "leaky_relu",
        attention_activation: ActivationSpec = "leaky_relu(0.2)",
        identity_width: int = 64,
        rounds: int = 2,
        shuffle_seed: int = 0,
    ) -> None:
        super().__init__()
        if variant not in get_args(GraphVariant):
            raise InputError(f"variant is {variant!r}; it must be one of {', '.join(get_args(GraphVariant))}")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout is {dropout}; it must lie in [0, 1)")
        self.graph = used_graph(graph, hierarchy, shuffle_seed)
        self.variant, self.hierarchy, self.width = variant, hierarchy, width
        edges = graph_edges(self.graph, hierarchy)
        options = edges, width, heads, dropout, activation, attention_activation
        if variant == "published":
            self.layers: PublishedLayers | TypedLayers = PublishedLayers(*options)
            self.gate: PathwayGate | DepthGate = PathwayGate(width)
        else:
            self.layers = TypedLayers(*options, identity_width, rounds)
            self.gate = DepthGate(width, self.graph.depths)
        self.places: tuple[str, ...] = self.layers.places
        gene_edges = torch.from_numpy(edges.into_pathways[0] < edges.num_genes).nonzero().flatten()
        self.register_buffer("gene_edges", gene_edges, persistent=False)
        self.register_buffer("columns", torch.from_numpy(self.graph.columns.copy()), persistent=False)
        self.register_buffer("graph_digest", torch.tensor(self.graph.digest))

    def forward(self, expression: Tensor) -> PathwayTokens:
        """Return tokens and gates of expression (B, F)."""
        return self.with_gene_weights(expression)[0]

    def with_gene_weights(self, expression: Tensor) -> tuple[PathwayTokens, Tensor]:
        """Return tokens, and the attention (B, E) of pathways to genes: see `gene_weights`."""
        if expression.ndim != 2 or expression.shape[1] != self.graph.num_columns:
            raise InputError(
                f"the expression has shape {tuple(expression.shape)}; it must be (patients, {self.graph.num_columns:,})"
            )
        pathways, weights = self.layers(expression.t().index_select(0, self.columns))
        tokens = pathways.transpose(0, 1).contiguous()
        return PathwayTokens(tokens, self.gate(tokens)), self._of_genes(weights)

    @torch.no_grad()
    def gene_weights(self, expression: Tensor) -> Tensor:
        """Return the attention (B, E) of every membership in `graph.memberships`, the mean of the heads.

        The weights of a pathway's genes add up to 1, unless it also attends to other pathways.
        """
        return self.with_gene_weights(expression)[1]

    def _of_genes(self, weights: Tensor) -> Tensor:
        """Return the mean of the heads on edges from genes, (B, E), of the weights (B, E', H) of all edges."""
        mean = weights.mean(2)
        return mean if mean.shape[1] == len(self.gene_edges) else mean.index_select(1, self.gene_edges)

    def sites(self) -> Iterator[Site]:
        """Yield what goes into ("first.pre") and comes out of ("first.post") the activation of every place."""
        genes, pathways = len(self.graph.genes), len(self.graph.pathways)
        for place, path in self.layers.activation_paths().items():
            held = genes + pathways if place in ("first", "second") else genes if "genes" in place else pathways
            sizes, axes = {"position": held, "unit": self.width}, ("batch", "position", "unit")
            yield Site(f"{place}.pre", f"layers.{path}", "input", axes, sizes=sizes)
            yield Site(f"{place}.post", f"layers.{path}", "output", axes, sizes=sizes)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        saved = state_dict.get(f"{prefix}graph_digest")
        if saved is not None and int(saved) != self.graph.digest:
            raise InputError(
                f"the state of {prefix.rstrip('.') or 'this encoder'} belongs to a graph with other genes, pathways or "
                "edges; build the encoder with the graph and the genes it was trained with"
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
