"""`MMPLike`: a mixture of Gaussians per slide and tokens of gene sets in one transformer layer.

Legend of shapes: B patients, K prototypes, P gene sets, S = K + P tokens, d width, r width of an identity.
"""

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ...structures import Hierarchy
from ..bags import MultimodalInputs, packed_slides
from ..gene_graphs.graph import Membership
from ..prototypes import PrototypeEncoder
from .building import graph_of, named_tokens
from .cross_attention import CrossAttention
from .frame import MultimodalNetwork
from .gates import factors_of, kept_mean
from .gene_sets import GeneSetTokens
from .head import StreamHead
from .modalities import Missing

__all__ = ["MMPLike"]


class MMPLike(MultimodalNetwork):
    """Slides as K tokens of share, mean and variance, gene sets as P tokens, all in one attention layer.

    A re-implementation of the architecture of MMP from its description, trained in this package's frame. MMP summarises
    slides once, by prototypes that stay as k-means left them; here projection, prototypes and mixture are trained
    with the rest. Figures of it are not figures of the published code.

    Sites: `pathways.tokens`, `prototypes.tokens` (batch, position, unit), `pathways.kept`, `prototypes.kept` (batch,
    unit), `attention.pattern` (batch, head, query, key; prototypes first), and those of the head.

    Args:
        in_features: Number of genes G; on the command line it comes from the data.
        out_features: Number of outputs T; on the command line the task decides it.
        hierarchy: Pathways above genes; on the command line it comes from the data.
        feature_names: Names of the genes; None says that they are the hierarchy's, in its order.
        patch_features: Width D of a patch; on the command line it comes from the data.
        clinical_features: Number of clinical columns; on the command line it comes from the data.
        width: Width d of a token without its identity.
        num_prototypes: Prototypes K.
        set_hidden: Hidden units of the network of a gene set.
        identity_width: Width r of the trainable identity that every token bears.
        num_heads: Heads of the attention; they divide d + r.
        token_hidden: Hidden units of the dense layers that every token has for itself.
        missing: What stands for an absent modality: "zeros" or "learned".
        modality_dropout: Probability that a modality of a patient is hidden in training.
        membership: Genes of a pathway: all "beneath" it, or those "attached" to itself.
        min_genes: Pathways with fewer measured genes are left out.
        fusion_width: Units of the hidden layer of the head.
        dropout: Share zeroed in training.
        activation: None: as published (ELU in the networks of gene sets, GELU behind the attention, ReLU in the head);
            or one spec for all.
        checkpoint_patches: Most patches that are computed at a time in training, see `PrototypeEncoder`.

    Shape:
        - Input: `MultimodalInputs`
        - Output: (B, T)

    Raises:
        InputError: If there is no hierarchy or no slides, an option is unusable, or inputs have another width.

    Source: A. Song et al., Multimodal prototyping for cancer survival prediction, ICML 2024, arXiv:2407.00224; slides
    as in A. Song et al., CVPR 2024, arXiv:2405.11643 (PANTHER). docs/models/multimodal_baselines.md says what differs.

    Example:
        >>> from axonlight.models.bags import pack
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1"), ("repair", "TP53")])
        >>> bags = pack([torch.randn(50, 16), torch.randn(0, 16)])
        >>> present = torch.tensor([[True, True, False], [True, False, False]])
        >>> inputs = MultimodalInputs(torch.randn(2, 2), *bags, torch.zeros(2, 0), present)
        >>> MMPLike(2, 4, hierarchy, patch_features=16, width=32, set_hidden=8)(inputs).shape
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
        num_prototypes: int = 16,
        set_hidden: int = 256,
        identity_width: int = 32,
        num_heads: int = 1,
        token_hidden: int = 32,
        missing: Missing = "zeros",
        modality_dropout: float = 0.0,
        membership: Membership = "beneath",
        min_genes: int = 1,
        fusion_width: int = 64,
        dropout: float = 0.25,
        activation: ActivationSpec | None = None,
        checkpoint_patches: int = 16_384,
    ) -> None:
        takes = ["rna", "slides"]
        super().__init__(takes, in_features, patch_features, clinical_features, width, missing, modality_dropout)
        self.graph = graph_of(hierarchy, feature_names, in_features, membership, min_genes, "MMPLike")
        specs = ("elu", "gelu", "relu") if activation is None else (activation,) * 3
        self.gene_sets = GeneSetTokens(self.graph, width, set_hidden, specs[0], dropout)
        self.slides = PrototypeEncoder(
            patch_features, width, num_prototypes, "gaussian_mixture", checkpoint_patches=checkpoint_patches
        )
        self.summary = nn.Linear(1 + 2 * width, width)
        self.prototype_names = [f"prototype_{number}" for number in range(num_prototypes)]
        self.pathways = named_tokens(self.graph.pathways, width, gated=False)
        self.prototypes = named_tokens(self.prototype_names, width, gated=False)
        number, whole = num_prototypes + len(self.graph.pathways), width + identity_width
        self.identities = nn.Parameter(torch.randn(number, identity_width))
        self.norms = nn.ModuleList([nn.LayerNorm(whole), nn.LayerNorm(whole)])
        self.attention = CrossAttention(whole, num_heads, dropout)
        bounds = whole**-0.5, token_hidden**-0.5
        self.first = nn.Parameter(torch.empty(number, whole, token_hidden).uniform_(-bounds[0], bounds[0]))
        self.last = nn.Parameter(torch.empty(number, token_hidden, whole).uniform_(-bounds[1], bounds[1]))
        self.activation = build_activation(specs[1], width=token_hidden, groups=1)
        self.dropout = nn.Dropout(dropout)
        widths = {"pathway": whole, "slide": whole} | self.clinical_width()
        self.head = StreamHead(widths, fusion_width, out_features, specs[2], dropout)

    def forward(self, inputs: MultimodalInputs | Tensor) -> Tensor:
        """Map a batch to outputs (B, T)."""
        inputs, used = self.begin(inputs)
        pathways = self.pathways["tokens"](self.absent.fill("rna", self.gene_sets(inputs.rna), used))
        slides = self.prototypes["tokens"](self.absent.fill("slides", self._slide_tokens(inputs), used))
        kept = _side_by_side(
            factors_of(self.prototypes["kept"], slides), factors_of(self.pathways["kept"], pathways), slides, pathways
        )
        tokens = torch.cat([slides, pathways], 1)
        tokens = torch.cat([tokens, self.identities.to(tokens.dtype).expand(len(tokens), -1, -1)], 2)
        normed = self.norms[0](tokens)
        tokens = tokens + self.dropout(self.attention(normed, normed, kept)[0])
        tokens = tokens + self.dropout(self._each_for_itself(self.norms[1](tokens)))
        slide, pathway = tokens.split([slides.shape[1], pathways.shape[1]], 1)
        of_slide, of_pathway = (None, None) if kept is None else kept.split([slide.shape[1], pathway.shape[1]], 1)
        streams = {"pathway": kept_mean(pathway, of_pathway), "slide": kept_mean(slide, of_slide)}
        return self.head(streams | self.clinical_stream(inputs, used))

    def _slide_tokens(self, inputs: MultimodalInputs) -> Tensor:
        """Return share, mean and variance of every component of the mixture, projected, (B, K, d)."""
        found = self.slides.read(packed_slides(inputs))
        shares = found.mass / found.mass.sum(1, keepdim=True).clamp_min(1e-6)
        variances = found.tokens if found.variances is None else found.variances
        parts = [shares.unsqueeze(2).to(found.tokens), found.tokens, variances.to(found.tokens)]
        return self.summary(torch.cat(parts, 2))

    def _each_for_itself(self, tokens: Tensor) -> Tensor:
        """Pass every token (B, S, d + r) through dense layers of its own."""
        hidden = self.activation((tokens.transpose(0, 1) @ self.first).transpose(0, 1))
        return (hidden.transpose(0, 1) @ self.last).transpose(0, 1)


def _side_by_side(first: Tensor | None, second: Tensor | None, slides: Tensor, pathways: Tensor) -> Tensor | None:
    """Return how much there is of slide and pathway tokens (B, S), None for all of all."""
    if first is None and second is None:
        return None
    factors = [
        tokens.new_ones(tokens.shape[:2]) if kept is None else kept
        for kept, tokens in ((first, slides), (second, pathways))
    ]
    return torch.cat(factors, 1)
