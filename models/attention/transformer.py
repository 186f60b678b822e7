"""A causal transformer without perceptrons, which reads exemplar-label pairs and names the label of a query.

Legend of shapes: B batch, E exemplars of a sequence, T = 2 E - 1 tokens, C classes, F features, D width, O labels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import InputError
from ..sites import Electrode
from .attention import AttentionKind
from .block import AttentionBlock

__all__ = ["AttentionOnlyTransformer"]


class AttentionOnlyTransformer(nn.Module):
    """Layers of causal attention over x_1 y_1 ... x_q: exemplars, their labels, and a query exemplar.

    The network of Singh et al. 2024, "What needs to go right for an induction head?", arXiv 2404.07129: layer norm
    before attention and before the read-out, rotary positions, no perceptrons. A linear map embeds exemplars; labels
    have learned embeddings (truncated normal, deviation 0.02); all other weights are normal with variance 1 / fan-in,
    biases 0. The published size (512 features, 5 labels, 2 layers of 8 heads of width 8) has 66,629 parameters.

    Every intermediate value is a site; names are module paths: `embedding`, `blocks.0.attention.q`,
    `blocks.1.attention.pattern`, `blocks.0.residual`, `logits`, ... (see `CausalAttention`). Only the query position is
    read out, so the last layer computes the other queries only where a hook looks at them.

    Args:
        in_features: Features F of an exemplar; on the command line it comes from the data.
        out_features: Labels O; on the command line it comes from the data.
        num_layers: Layers.
        num_heads: Heads of a layer.
        head_width: Width of a head; the width D of the residual stream is heads times this.
        attention: "explicit" computes scores and patterns as sites; "fused" uses torch's fused kernel.
        rotary_base: Base of the rotary angles.
        max_positions: Longest sequence, in tokens.

    Shape:
        - Input: exemplars (B, E, F), or int64 (B, E) row numbers of features (C, F); labels int64 (B, E - 1)
        - Output: (B, O), logits of the label of the last exemplar

    Raises:
        InputError: If a size is not positive, the head width is odd, `attention` is unknown, or exemplars and labels do
            not make a sequence.

    Example:
        >>> from axonlight.models import AttentionOnlyTransformer
        >>> network = AttentionOnlyTransformer(512, 5)
        >>> exemplars, labels = torch.randn(4, 3, 512), torch.tensor([[0, 1]] * 4)
        >>> network(exemplars, labels).shape, sum(parameter.numel() for parameter in network.parameters())
        (torch.Size([4, 5]), 66629)
    """

    def __init__(
        self,
        in_features: int = 512,
        out_features: int = 5,
        num_layers: int = 2,
        num_heads: int = 8,
        head_width: int = 8,
        attention: AttentionKind = "explicit",
        rotary_base: float = 1e4,
        max_positions: int = 128,
    ) -> None:
        super().__init__()
        sizes = {"in_features": in_features, "out_features": out_features, "num_layers": num_layers}
        sizes["num_heads"] = num_heads
        for name, value in sizes.items():
            if value < 1:
                raise InputError(f"{name} is {value}; it must be a positive integer")
        width = num_heads * head_width
        self.exemplar_embedding = nn.Linear(in_features, width)
        self.label_embedding = nn.Embedding(out_features, width)
        self.embedding = Electrode("batch", "position", "unit", sizes={"unit": width})
        self.blocks = nn.ModuleList(
            AttentionBlock(num_heads, head_width, attention, rotary_base, max_positions) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.readout = nn.Linear(width, out_features)
        self.logits = Electrode("batch", "unit", sizes={"unit": out_features})
        self._initialise()

    def forward(self, exemplars: Tensor, labels: Tensor, features: Tensor | None = None) -> Tensor:
        """Return the logits (B, O) of the label of the last exemplar.

        Args:
            exemplars: (B, E, F), or int64 (B, E), rows of `features`.
            labels: int64 (B, E - 1).
            features: (C, F) features of the classes, each embedded once however often it occurs; None for exemplars
                that are features themselves.
        """
        x = self.embedding(self._embedded(exemplars, labels, features))
        last = len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            assert isinstance(block, AttentionBlock)  # noqa: S101
            x = block(x, last_only=number == last and not block.is_read())
        return self.logits(self.readout(self.norm(x[:, -1])))

    def _embedded(self, exemplars: Tensor, labels: Tensor, features: Tensor | None) -> Tensor:
        if exemplars.shape[1] != labels.shape[1] + 1:
            raise InputError(
                f"a sequence has {exemplars.shape[1]} exemplars and {labels.shape[1]} labels; each exemplar but "
                "the last has one label"
            )
        if features is None:
            if not exemplars.is_floating_point():
                raise InputError("exemplars are class numbers, and the features of the classes were not given")
            return _interleaved(self.exemplar_embedding(exemplars), self.label_embedding(labels))
        # One table of all tokens and one look-up: half the operations, and each class is embedded once.
        table = torch.cat([self.exemplar_embedding(features), self.label_embedding.weight])
        return F.embedding(_interleaved(exemplars, labels + len(features)), table)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.label_embedding.weight, std=0.02, a=-0.04, b=0.04)


def _interleaved(exemplars: Tensor, labels: Tensor) -> Tensor:
    """Return x_1 y_1 ... x_q from (B, E, ...) and (B, E - 1, ...)."""
    pairs = torch.stack([exemplars[:, :-1], labels], dim=2).flatten(1, 2)
    return torch.cat([pairs, exemplars[:, -1:]], dim=1)
