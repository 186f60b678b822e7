"""`SurvPathLike`: tokens of gene sets and patches in one attention without its patch-patch block.

Legend of shapes: B patients, n patches of one patient, P gene sets, d width, c = d / 2 width of the attention.
"""

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ...structures import Hierarchy
from ..bags import MultimodalInputs, split_bags
from ..gene_graphs.graph import Membership
from ..prototypes.streaming import recomputed
from .building import graph_of, named_tokens
from .frame import MultimodalNetwork
from .gates import factors_of, kept_mean, log_factors
from .gene_sets import GeneSetTokens
from .head import StreamHead
from .modalities import Missing

__all__ = ["SurvPathLike"]


class SurvPathLike(MultimodalNetwork):
    """Gene sets attend to gene sets and patches, patches to gene sets; means of both make the outputs.

    A re-implementation of the architecture of SurvPath from its description, trained in this package's frame: all
    patches of all patients of a batch instead of 4,096 sampled ones of one patient, every parameter there from the
    start. Figures of it are not figures of the published code.

    Sites: `pathways.tokens` (batch, position, unit), `pathways.kept` (batch, unit), whose units are gene sets, and
    those of the head.

    Args:
        in_features: Number of genes G; on the command line it comes from the data.
        out_features: Number of outputs T; on the command line the task decides it.
        hierarchy: Pathways above genes; on the command line it comes from the data.
        feature_names: Names of the genes; None says that they are the hierarchy's, in its order.
        patch_features: Width D of a patch; on the command line it comes from the data.
        clinical_features: Number of clinical columns; on the command line it comes from the data.
        width: Width d of all tokens.
        set_hidden: Hidden units of the network of a gene set.
        missing: What stands for an absent modality: "zeros" or "learned".
        modality_dropout: Probability that a modality of a patient is hidden in training.
        membership: Genes of a pathway: all "beneath" it, or those "attached" to itself.
        min_genes: Pathways with fewer measured genes are left out.
        fusion_width: Units of the hidden layer of the head.
        dropout: Share zeroed in training.
        activation: None: as published (ELU in the networks of gene sets, GELU behind the attention, ReLU in the head);
            or one spec for all.
        checkpoint_patches: A patient with more patches is computed again in the backward pass; 0: nobody.

    Shape:
        - Input: `MultimodalInputs`
        - Output: (B, T)

    Raises:
        InputError: If there is no hierarchy or no slides, an option is unusable, or inputs have another width.

    Source: G. Jaume et al., Modeling dense multimodal interactions between biological pathways and histology for
    survival prediction, CVPR 2024, arXiv:2304.06819. docs/models/multimodal_baselines.md says what differs.

    Example:
        >>> from axonlight.models.bags import pack
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1"), ("repair", "TP53")])
        >>> bags = pack([torch.randn(50, 16), torch.randn(0, 16)])
        >>> present = torch.tensor([[True, True, False], [True, False, False]])
        >>> inputs = MultimodalInputs(torch.randn(2, 2), *bags, torch.zeros(2, 0), present)
        >>> SurvPathLike(2, 4, hierarchy, patch_features=16, width=32, set_hidden=8)(inputs).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hierarchy: Hierarchy | None = None,
        feature_names: list[str] | None = None,
        patch_features: int = 0,
        clinical_features: int = 0,
        width: int = 256,
        set_hidden: int = 256,
        missing: Missing = "zeros",
        modality_dropout: float = 0.0,
        membership: Membership = "beneath",
        min_genes: int = 1,
        fusion_width: int = 64,
        dropout: float = 0.25,
        activation: ActivationSpec | None = None,
        checkpoint_patches: int = 4_096,
    ) -> None:
        takes = ["rna", "slides"]
        super().__init__(takes, in_features, patch_features, clinical_features, width, missing, modality_dropout)
        self.graph = graph_of(hierarchy, feature_names, in_features, membership, min_genes, "SurvPathLike")
        specs = ("elu", "gelu", "relu") if activation is None else (activation,) * 3
        self.gene_sets = GeneSetTokens(self.graph, width, set_hidden, specs[0], dropout)
        self.pathways = named_tokens(self.graph.pathways, width, gated=False)
        self.projection = nn.Linear(patch_features, width)
        self.norm = nn.LayerNorm(width)
        inner = max(width // 2, 1)
        self.query, self.key, self.value = (nn.Linear(width, inner, bias=False) for _ in range(3))
        self.behind = nn.Sequential(
            nn.LayerNorm(inner),
            nn.Linear(inner, inner),
            build_activation(specs[1], width=inner, groups=1),
            nn.Dropout(dropout),
            nn.Linear(inner, width),
            nn.LayerNorm(width),
        )
        widths = {"pathway": width, "slide": width} | self.clinical_width()
        self.head = StreamHead(widths, fusion_width, out_features, specs[2], dropout)
        self.checkpoint_patches = checkpoint_patches

    def forward(self, inputs: MultimodalInputs | Tensor) -> Tensor:
        """Map a batch to outputs (B, T)."""
        inputs, used = self.begin(inputs)
        tokens = self.pathways["tokens"](self.absent.fill("rna", self.gene_sets(inputs.rna), used))
        kept = factors_of(self.pathways["kept"], tokens)
        bags = split_bags(inputs.bags, inputs.pointers)
        means = [
            self._patient(tokens[number], bag, None if kept is None else kept[number])
            for number, bag in enumerate(bags)
        ]
        pathway, slide = (torch.stack(parts) for parts in zip(*means, strict=True))
        streams = {"pathway": pathway, "slide": self.absent.fill("slides", slide, used)}
        return self.head(streams | self.clinical_stream(inputs, used))

    def _patient(self, tokens: Tensor, patches: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor]:
        if 0 < self.checkpoint_patches < len(patches):
            return recomputed(self._attend, tokens, patches, kept)
        return self._attend(tokens, patches, kept)

    def _attend(self, tokens: Tensor, patches: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the means (d,) of the gene sets and of the patches (n, D) of one patient, after the attention."""
        projected = self.projection(patches.to(self.projection.weight.dtype))
        states = self.norm(torch.cat([tokens, projected]))
        query, key, value = (layer(states) for layer in (self.query, self.key, self.value))
        sets, scale = len(tokens), self.query.out_features**-0.5
        masks = torch.zeros_like(key[:, 0])
        if kept is not None:
            masks = torch.cat([log_factors(kept), masks[sets:]])
        of_sets = (query[:sets] @ key.T * scale + masks).softmax(1) @ value
        of_patches = (query[sets:] @ key[:sets].T * scale + masks[:sets]).softmax(1) @ value[:sets]
        of_sets, of_patches = self.behind(of_sets), self.behind(of_patches)
        pathway = kept_mean(of_sets.unsqueeze(0), None if kept is None else kept.unsqueeze(0)).squeeze(0)
        return pathway, of_patches.sum(0) / max(len(of_patches), 1)
