"""A transformer layer on the tokens of a patient, in which tokens can be taken out.

Legend of shapes: B patients, T tokens, d width.
"""

from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from .cross_attention import CrossAttention

__all__ = ["TokenBlock"]


class TokenBlock(nn.Module):
    """x + attention(norm x), then x + two dense layers of norm x.

    Args:
        width: Width d.
        num_heads: Heads of the attention.
        hidden: Units of the dense layers.
        activation: Spec of their activation.
        dropout: Share of pattern and units zeroed in training.

    Shape:
        - Tokens: (B, T, d); kept: None, or (B, T), how much of every token there is
        - Output: (B, T, d)

    Source: R. Xiong et al., On layer normalization in the transformer architecture, ICML 2020, arXiv:2002.04745.

    Example:
        >>> import torch
        >>> TokenBlock(8, 2, 16)(torch.randn(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(
        self, width: int, num_heads: int, hidden: int, activation: ActivationSpec = "relu", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = CrossAttention(width, num_heads, dropout)
        self.first, self.last = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.activation = build_activation(activation, width=hidden, groups=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, kept: Tensor | None = None) -> Tensor:
        """Return the new tokens."""
        normed = self.norms[0](tokens)
        tokens = tokens + self.dropout(self.attention(normed, normed, kept)[0])
        return tokens + self.dropout(self.last(self.activation(self.first(self.norms[1](tokens)))))
