"""How the slide and the pathways of a patient meet: the streams that the head reads.

Legend of shapes: B patients, K prototypes, P pathways, d width, H heads.
"""

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ...errors import InputError
from ..gene_graphs import PathwayGate
from .cross_attention import CrossAttention
from .gates import UnitElectrode, weighted_sum

__all__ = ["FUSIONS", "Fusion", "Interaction", "Meeting", "build_interaction"]

Fusion = Literal["attention", "concat", "bilinear", "gated"]


class Meeting(NamedTuple):
    """What two encoders say of a batch.

    Attributes:
        pathways: (B, P, d).
        pathway: (B, d), their gated sum.
        pathways_kept: (B, P), how much of each there is, or None for all of all.
        prototypes: (B, K, d).
        slide: (B, d), their gated sum.
        prototypes_kept: (B, K), or None.
    """

    pathways: Tensor
    pathway: Tensor
    pathways_kept: Tensor | None
    prototypes: Tensor
    slide: Tensor
    prototypes_kept: Tensor | None


class Interaction(NamedTuple):
    """What comes of it.

    Attributes:
        streams: (B, d) each, by name.
        pattern: (B, H, K, P), the attention of prototypes to pathways, of the fusion that has it.
        gates: Weights of prototypes (B, K) or of the two modalities (B, 2), of the fusions that have them.
    """

    streams: dict[str, Tensor]
    pattern: Tensor | None = None
    gates: Tensor | None = None


class AttentionFusion(nn.Module):
    """Prototypes query pathways; a softmax gate sums what they take: three streams, as published."""

    streams = ("pathway", "attended", "slide")

    def __init__(self, width: int, names: list[str], heads: int, dropout: float, activation: ActivationSpec) -> None:
        super().__init__()
        self.attention = CrossAttention(width, heads, dropout)
        self.gate = PathwayGate(width)
        self.gates = UnitElectrode(names)

    def forward(self, met: Meeting) -> Interaction:
        """Return the streams, the attention and the gates of the prototypes that have attended."""
        attended, pattern = self.attention(met.prototypes, met.pathways, met.pathways_kept)
        taken, gates = weighted_sum(attended, self.gate(attended), met.prototypes_kept, self.gates)
        return Interaction({"pathway": met.pathway, "attended": taken, "slide": met.slide}, pattern, gates)


class ConcatFusion(nn.Module):
    """Two streams side by side, which meet in the head alone."""

    streams = ("pathway", "slide")

    def __init__(self, width: int, names: list[str], heads: int, dropout: float, activation: ActivationSpec) -> None:
        super().__init__()

    def forward(self, met: Meeting) -> Interaction:
        """Return the streams."""
        return Interaction({"pathway": met.pathway, "slide": met.slide})


class BilinearFusion(nn.Module):
    """A third stream holds products of the two: W (U pathway * V slide), of rank 64 at most."""

    streams = ("pathway", "bilinear", "slide")

    def __init__(self, width: int, names: list[str], heads: int, dropout: float, activation: ActivationSpec) -> None:
        super().__init__()
        rank = min(64, width)
        self.pathway, self.slide = (nn.Linear(width, rank, bias=False) for _ in range(2))
        self.products = nn.Linear(rank, width)

    def forward(self, met: Meeting) -> Interaction:
        """Return the streams."""
        products = self.products(self.pathway(met.pathway) * self.slide(met.slide))
        return Interaction({"pathway": met.pathway, "bilinear": products, "slide": met.slide})


class GatedFusion(nn.Module):
    """One stream: the two modalities, projected, weighted by a softmax of one score each."""

    streams = ("gated",)

    def __init__(self, width: int, names: list[str], heads: int, dropout: float, activation: ActivationSpec) -> None:
        super().__init__()
        self.scores, self.values = (nn.ModuleDict() for _ in range(2))
        hidden = max(width // 2, 1)
        for name in ("pathway", "slide"):
            layers = nn.Linear(width, hidden), build_activation(activation, width=hidden, groups=1)
            self.scores[name] = nn.Sequential(*layers, nn.Linear(hidden, 1))
            self.values[name] = nn.Linear(width, width)
        self.gates = UnitElectrode(["rna", "slides"])

    def forward(self, met: Meeting) -> Interaction:
        """Return the stream and the weights of RNA and slides."""
        pairs = [("pathway", met.pathway), ("slide", met.slide)]
        weights = self.gates(torch.cat([self.scores[name](value) for name, value in pairs], 1).softmax(1))
        values = torch.stack([self.values[name](value) for name, value in pairs], 1)
        return Interaction({"gated": (weights.unsqueeze(1) @ values).squeeze(1)}, None, weights)


FUSIONS = {"attention": AttentionFusion, "bilinear": BilinearFusion, "concat": ConcatFusion, "gated": GatedFusion}
FusionModule = AttentionFusion | BilinearFusion | ConcatFusion | GatedFusion


def build_interaction(
    fusion: Fusion, width: int, names: list[str], heads: int, dropout: float, activation: ActivationSpec
) -> FusionModule:
    """Build a fusion by name.

    Args:
        fusion: "attention", "concat", "bilinear" or "gated".
        width: Width d of all tokens.
        names: Names of the K prototypes.
        heads: Heads of the attention.
        dropout: Share of the attention zeroed in training.
        activation: Spec of the activation inside the scores of "gated".

    Raises:
        InputError: If there is no such fusion.

    Example:
        >>> build_interaction("concat", 8, ["prototype_0"], 2, 0.0, "relu").streams
        ('pathway', 'slide')
    """
    if fusion not in FUSIONS:
        raise InputError(f"fusion is {fusion!r}; it must be one of {', '.join(get_args(Fusion))}")
    return FUSIONS[fusion](width, names, heads, dropout, activation)
