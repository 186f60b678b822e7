"""`MCATLike`: gene groups query patches; two small transformers read both.

Legend of shapes: B patients, n patches of one patient, P gene groups, d width.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ...errors import InputError
from ...structures import Hierarchy
from ..bags import MultimodalInputs, split_bags
from ..gene_graphs import GenePathwayGraph
from ..prototypes.streaming import recomputed
from .blocks import TokenBlock
from .building import graph_of, named_tokens, root_sets
from .cross_attention import CrossAttention
from .frame import MultimodalNetwork
from .gates import factors_of
from .gene_sets import GeneSetTokens
from .head import StreamHead
from .modalities import Missing
from .pooling import GatedPooling

__all__ = ["MCATLike"]

Groups = Literal["roots", "all"]


class MCATLike(MultimodalNetwork):
    """Every gene group takes from the patches what it attends to; transformers and gated pooling sum up both sides.

    A re-implementation of the architecture of MCAT from its description, trained in this package's frame. MCAT has six
    functional groups of genes; here the groups are pathways of the hierarchy. Figures of it are not figures of the
    published code.

    Sites: `pathways.tokens` (batch, position, unit), `pathways.kept` (batch, unit), whose units are gene groups, those
    of the blocks (`of_slides.0.attention.pattern`, ...) and of the head.

    Args:
        in_features: Number of genes G; on the command line it comes from the data.
        out_features: Number of outputs T; on the command line the task decides it.
        hierarchy: Pathways above genes; on the command line it comes from the data.
        feature_names: Names of the genes; None says that they are the hierarchy's, in its order.
        patch_features: Width D of a patch; on the command line it comes from the data.
        clinical_features: Number of clinical columns; on the command line it comes from the data.
        groups: Which pathways are gene groups: the "roots", with all genes beneath them, or "all".
        width: Width d of all tokens.
        set_hidden: Hidden units of the network of a gene group.
        num_blocks: Transformer layers on either side.
        num_heads: Their heads.
        missing: What stands for an absent modality: "zeros" or "learned".
        modality_dropout: Probability that a modality of a patient is hidden in training.
        fusion_width: Units of the hidden layer of the head.
        dropout: Share zeroed in training.
        activation: None: as published (ELU in the networks of gene groups, ReLU elsewhere); or one spec for all.
        checkpoint_patches: A patient with more patches is computed again in the backward pass; 0: nobody.

    Shape:
        - Input: `MultimodalInputs`
        - Output: (B, T)

    Raises:
        InputError: If there is no hierarchy or no slides, an option is unusable, or inputs have another width.

    Source: R. Chen et al., Multimodal co-attention transformer for survival prediction in gigapixel whole slide
    images, ICCV 2021, doi:10.1109/ICCV48922.2021.00398. docs/models/multimodal_baselines.md says what differs.

    Example:
        >>> from axonlight.models.bags import pack
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1"), ("repair", "TP53")])
        >>> bags = pack([torch.randn(50, 16), torch.randn(0, 16)])
        >>> present = torch.tensor([[True, True, False], [True, False, False]])
        >>> inputs = MultimodalInputs(torch.randn(2, 2), *bags, torch.zeros(2, 0), present)
        >>> network = MCATLike(2, 4, hierarchy, patch_features=16, width=32, set_hidden=8)
        >>> network(inputs).shape, network.graph.pathways
        (torch.Size([2, 4]), ('cell',))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hierarchy: Hierarchy | None = None,
        feature_names: list[str] | None = None,
        patch_features: int = 0,
        clinical_features: int = 0,
        groups: Groups = "roots",
        width: int = 256,
        set_hidden: int = 256,
        num_blocks: int = 2,
        num_heads: int = 8,
        missing: Missing = "zeros",
        modality_dropout: float = 0.0,
        fusion_width: int = 256,
        dropout: float = 0.25,
        activation: ActivationSpec | None = None,
        checkpoint_patches: int = 4_096,
    ) -> None:
        takes = ["rna", "slides"]
        super().__init__(takes, in_features, patch_features, clinical_features, width, missing, modality_dropout)
        graph = graph_of(hierarchy, feature_names, in_features, "beneath", 1, "MCATLike")
        self.graph = _groups(graph, groups)
        in_sets, elsewhere = ("elu", "relu") if activation is None else (activation, activation)
        self.gene_sets = GeneSetTokens(self.graph, width, set_hidden, in_sets, dropout)
        self.pathways = named_tokens(self.graph.pathways, width, gated=False)
        self.projection = nn.Linear(patch_features, width)
        self.activation = build_activation(elsewhere, width=width, groups=1)
        self.dropout = nn.Dropout(dropout)
        self.co_attention = CrossAttention(width, 1)
        self.of_genes, self.of_slides = (
            nn.ModuleList(TokenBlock(width, num_heads, 2 * width, elsewhere, dropout) for _ in range(num_blocks))
            for _ in range(2)
        )
        self.pool_genes, self.pool_slides = (GatedPooling(width, width) for _ in range(2))
        widths = {"pathway": width, "slide": width} | self.clinical_width()
        self.head = StreamHead(widths, fusion_width, out_features, elsewhere, dropout)
        self.checkpoint_patches = checkpoint_patches

    def forward(self, inputs: MultimodalInputs | Tensor) -> Tensor:
        """Map a batch to outputs (B, T)."""
        inputs, used = self.begin(inputs)
        genes = self.pathways["tokens"](self.absent.fill("rna", self.gene_sets(inputs.rna), used))
        kept = factors_of(self.pathways["kept"], genes)
        bags = split_bags(inputs.bags, inputs.pointers)
        slides = torch.stack([self._patient(tokens, bag) for tokens, bag in zip(genes, bags, strict=True)])
        slides = self.absent.fill("slides", slides, used)
        for of_genes, of_slides in zip(self.of_genes, self.of_slides, strict=True):
            genes, slides = of_genes(genes, kept), of_slides(slides, kept)
        streams = {"pathway": self.pool_genes(genes, kept), "slide": self.pool_slides(slides, kept)}
        return self.head(streams | self.clinical_stream(inputs, used))

    def _patient(self, tokens: Tensor, patches: Tensor) -> Tensor:
        """Return what every gene group (P, d) takes from the patches (n, D) of one patient."""
        if 0 < self.checkpoint_patches < len(patches):
            return recomputed(self._attend, tokens, patches)
        return self._attend(tokens, patches)

    def _attend(self, tokens: Tensor, patches: Tensor) -> Tensor:
        projected = self.activation(self.projection(patches.to(self.projection.weight.dtype)))
        return self.co_attention(tokens.unsqueeze(0), self.dropout(projected).unsqueeze(0))[0].squeeze(0)


def _groups(graph: GenePathwayGraph, groups: str) -> GenePathwayGraph:
    """Return the pathways that are gene groups, as a graph without relations."""
    if groups not in get_args(Groups):
        raise InputError(f"groups is {groups!r}; it must be one of {', '.join(get_args(Groups))}")
    return graph if groups == "all" else root_sets(graph)
