"""Prototypes of whole slides that query pathways of the transcriptome: `ProtoPathway`.

Legend of shapes: B patients, G genes, N patches of all bags, D patch features, C clinical columns, K prototypes,
P pathways, E memberships of genes in pathways, d width, H heads, T outputs.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ...activations import ActivationSpec, LayerActivations
from ...structures import Hierarchy
from ..bags import MultimodalInputs, packed_slides
from ..gene_graphs import GeneGraphEncoder, PathwayGate
from ..gene_graphs.edges import HierarchyUse
from ..gene_graphs.encoder import GraphVariant
from ..gene_graphs.graph import Membership
from ..prototypes import AssignmentSpec, PrototypeEncoder
from .building import graph_of, named_tokens, split_activation
from .frame import MultimodalNetwork
from .gates import factors_of, weighted_sum
from .head import StreamHead
from .interactions import Fusion, Interaction, Meeting, build_interaction
from .modalities import Missing

__all__ = ["FusionReading", "ProtoPathway"]


class FusionReading(NamedTuple):
    """What a network makes of a batch, and what it looked at on the way; NaN where a patient does not use a modality.

    Attributes:
        outputs: (B, T).
        used: (B, 3) bool, which modalities were used: rna, slides, clinical.
        pathway_gates: (B, P), weights of the pathways in the pathway stream; they add up to 1.
        gene_weights: (B, E), attention of pathways to their genes, in the order of `graph.memberships`.
        attention: (B, K, P), attention of prototypes to pathways, mean over the heads; of "attention" fusion.
        slide_gates: (B, K), weights of the prototypes in the slide stream, before they attend to pathways.
        prototype_gates: (B, K), the same after; of "attention" fusion.
        modality_gates: (B, 2), weights of RNA and slides; of "gated" fusion.
        mass: (B, K), number of patches that each prototype takes in all.
        assignments: (N, K), share of every patch that every prototype takes, where asked for.

    Example:
        >>> FusionReading(torch.zeros(1, 4), torch.ones(1, 3), torch.ones(1, 2), torch.ones(1, 5)).attention is None
        True
    """

    outputs: Tensor
    used: Tensor
    pathway_gates: Tensor
    gene_weights: Tensor
    attention: Tensor | None = None
    slide_gates: Tensor | None = None
    prototype_gates: Tensor | None = None
    modality_gates: Tensor | None = None
    mass: Tensor | None = None
    assignments: Tensor | None = None


class ProtoPathway(MultimodalNetwork):
    """Prototypes of a patient's slides query the pathways of his transcriptome; a head reads gated streams of both.

    The defaults are the published configuration: with 1,536 patch features and 4 outputs it has 479,687 parameters,
    whatever the hierarchy. Patches become K tokens (`PrototypeEncoder`), genes become P tokens (`GeneGraphEncoder`);
    each set is summed by a softmax gate, prototypes attend to pathways, and what they take is summed by a third gate;
    pathway, attended and slide stream pass a layer norm each, one hidden layer and the output layer. Beyond what is
    published: clinical columns as a stream of their own, absent modalities per patient, other fusions, another gene
    encoder. Without patch features it is the gene encoder with its gate and the head; a batch may then also be a plain
    tensor (B, G).

    Sites: `pathways.kept`, `pathways.gates` and `prototypes.kept`, `prototypes.gates` (batch, unit), whose units are
    pathways and prototypes by name: a 0 at `kept` takes one out of gates and attention; `pathways.tokens`,
    `prototypes.tokens`; `interaction.attention.pattern` (batch, head, query, key); `head.streams.*`; and those of the
    encoders, `genes.*` and `slides.*`.

    Args:
        in_features: Number of genes G; on the command line it comes from the data.
        out_features: Number of outputs T; on the command line the task decides it.
        hierarchy: Pathways above genes; on the command line it comes from the data.
        feature_names: Names of the genes; None says that they are the hierarchy's, in its order.
        patch_features: Width D of a patch, 0 for data without slides; on the command line it comes from the data.
        clinical_features: Number of clinical columns C; on the command line it comes from the data.
        fusion: "attention" (published), "concat", "bilinear" or "gated".
        missing: What stands for an absent modality: "zeros", or "learned", a trainable token each.
        modality_dropout: Probability that a modality of a patient is hidden in training.
        width: Width d of all tokens.
        num_prototypes: Prototypes K.
        assignment: Rule that shares out patches among prototypes, see `PrototypeEncoder`.
        temperature: Of the rules that have one.
        diversity: Weight of the prototypes' `diversity_penalty`.
        usage: Weight of their `usage_penalty`.
        gene_encoder: "published" or "typed" (identities of genes, typed edges, gates that know depth).
        gene_hierarchy: "flat", "bipartite" (published), "hierarchical" or "shuffled", see `GeneGraphEncoder`.
        membership: Genes of a pathway: all "beneath" it, or those "attached" to itself.
        min_genes: Pathways with fewer measured genes are left out.
        gene_heads: Heads of the attention of pathways to genes.
        attention_heads: Heads of the attention of prototypes to pathways.
        fusion_width: Units of the hidden layer.
        dropout: Share zeroed in training: states and attention of the gene encoder, attention to pathways, hidden
            units.
        activation: None: as published (leaky ReLU in the gene encoder, ReLU in the head); one spec for all places; or
            one per place of `places`.
        gene_attention_activation: Spec inside the attention of pathways to genes.
        patch_activation: Spec of what follows the projection of patches and prototypes; published: none.
        checkpoint_patches: Most patches that are computed at a time in training, see `PrototypeEncoder`.

    Attributes:
        graph: The `GenePathwayGraph`: names of genes and pathways, memberships.
        prototype_names: Names of the prototypes.
        places: Names of the places where `activation` stands.

    Shape:
        - Input: `MultimodalInputs`, or expression alone, (B, G)
        - Output: (B, T)

    Raises:
        InputError: If there is no hierarchy, an option is unusable, or inputs have another width.

    Source: A. Gallagher-Syed et al., ProtoPathway, arXiv:2605.21454. docs/models/protopathway.md says what differs.

    Example:
        >>> from axonlight.models.bags import pack
        >>> from axonlight.structures import Hierarchy
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
        >>> network = ProtoPathway(2, 4, Hierarchy.from_edges(edges), patch_features=1536)
        >>> bags = pack([torch.randn(50, 1536), torch.randn(0, 1536)])
        >>> present = torch.tensor([[True, True, False], [True, False, False]])
        >>> inputs = MultimodalInputs(torch.randn(2, 2), *bags, torch.zeros(2, 0), present)
        >>> network(inputs).shape, sum(parameter.numel() for parameter in network.parameters())
        (torch.Size([2, 4]), 479687)
        >>> network.read(inputs).attention.shape
        torch.Size([2, 16, 3])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hierarchy: Hierarchy | None = None,
        feature_names: list[str] | None = None,
        patch_features: int = 0,
        clinical_features: int = 0,
        fusion: Fusion = "attention",
        missing: Missing = "zeros",
        modality_dropout: float = 0.0,
        width: int = 128,
        num_prototypes: int = 16,
        assignment: AssignmentSpec = "cosine",
        temperature: float = 0.1,
        diversity: float = 0.0,
        usage: float = 0.0,
        gene_encoder: GraphVariant = "published",
        gene_hierarchy: HierarchyUse = "bipartite",
        membership: Membership = "beneath",
        min_genes: int = 1,
        gene_heads: int = 4,
        attention_heads: int = 2,
        fusion_width: int = 64,
        dropout: float = 0.25,
        activation: LayerActivations | None = None,
        gene_attention_activation: ActivationSpec = "leaky_relu(0.2)",
        patch_activation: ActivationSpec = "identity",
        checkpoint_patches: int = 16_384,
    ) -> None:
        takes = ("rna", "slides") if patch_features else ("rna",)
        super().__init__(takes, in_features, patch_features, clinical_features, width, missing, modality_dropout)
        graph = graph_of(hierarchy, feature_names, in_features, membership, min_genes, "ProtoPathway")
        of_genes, of_head = split_activation(activation)
        self.genes = GeneGraphEncoder(
            graph, gene_encoder, gene_hierarchy, width, gene_heads, dropout, of_genes, gene_attention_activation
        )
        self.graph = self.genes.graph
        self.places = (*self.genes.places, "head")
        self.pathways = named_tokens(self.graph.pathways, width)
        streams: tuple[str, ...] = ("pathway",)
        self.prototype_names = [f"prototype_{number}" for number in range(num_prototypes if patch_features else 0)]
        if patch_features:
            self.slides = PrototypeEncoder(
                patch_features,
                width,
                num_prototypes,
                assignment,
                temperature,
                patch_activation,
                diversity,
                usage,
                checkpoint_patches=checkpoint_patches,
            )
            self.slide_gate = PathwayGate(width)
            self.prototypes = named_tokens(self.prototype_names, width)
            self.interaction = build_interaction(fusion, width, self.prototype_names, attention_heads, dropout, of_head)
            streams = self.interaction.streams
        widths = dict.fromkeys(streams, width) | self.clinical_width()
        self.head = StreamHead(widths, fusion_width, out_features, of_head, dropout)

    def forward(self, inputs: MultimodalInputs | Tensor) -> Tensor:
        """Map a batch to outputs (B, T)."""
        return self._read(inputs, False).outputs

    def read(self, inputs: MultimodalInputs | Tensor, with_assignments: bool = False) -> FusionReading:
        """Map a batch to outputs, with attention, gates and masses, and on demand the shares of every patch.

        Args:
            inputs: The batch.
            with_assignments: Whether to return the shares (N, K), as much memory as K features of every patch.
        """
        found = self._read(inputs, with_assignments)
        rna, slides, _ = found.used.unbind(1)
        return found._replace(
            pathway_gates=_where(rna, found.pathway_gates),
            gene_weights=_where(rna, found.gene_weights),
            attention=_where(rna & slides, found.attention),
            slide_gates=_where(slides, found.slide_gates),
            prototype_gates=_where(rna & slides, found.prototype_gates),
        )

    def _read(self, inputs: MultimodalInputs | Tensor, with_assignments: bool) -> FusionReading:
        inputs, used = self.begin(inputs)
        (tokens, gates), gene_weights = self.genes.with_gene_weights(inputs.rna)
        tokens = self.pathways["tokens"](self.absent.fill("rna", tokens, used))
        kept = factors_of(self.pathways["kept"], tokens)
        pathway, gates = weighted_sum(tokens, gates, kept, self.pathways["gates"])
        found, streams = FusionReading(pathway, used, gates, gene_weights), {"pathway": pathway}
        if self.patch_features:
            slide = self.slides.read(packed_slides(inputs), with_assignments)
            found = found._replace(mass=slide.mass, assignments=slide.weights)
            met, found = self._meet(tokens, pathway, kept, slide.tokens, found)
            streams = met.streams
        return found._replace(outputs=self.head(streams | self.clinical_stream(inputs, used)))

    def _meet(
        self, tokens: Tensor, pathway: Tensor, kept: Tensor | None, slide_tokens: Tensor, found: FusionReading
    ) -> tuple[Interaction, FusionReading]:
        """Let prototypes and pathways meet."""
        prototypes = self.prototypes["tokens"](self.absent.fill("slides", slide_tokens, found.used))
        present = factors_of(self.prototypes["kept"], prototypes)
        slide, gates = weighted_sum(prototypes, self.slide_gate(prototypes), present, self.prototypes["gates"])
        met: Interaction = self.interaction(Meeting(tokens, pathway, kept, prototypes, slide, present))
        found = found._replace(slide_gates=gates)
        if met.pattern is None:
            return met, found._replace(modality_gates=met.gates)
        return met, found._replace(attention=met.pattern.mean(1), prototype_gates=met.gates)


def _where(used: Tensor, values: Tensor | None) -> Tensor | None:
    """Put NaN where a patient has no such value."""
    if values is None:
        return None
    return torch.where(used.view(-1, *[1] * (values.dim() - 1)), values, torch.nan)
