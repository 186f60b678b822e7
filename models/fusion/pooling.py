"""Many rows to one by gated attention, of a bag or of tokens.

Legend of shapes: B patients, T tokens, d width.
"""

from torch import Tensor, nn

from ...errors import InputError
from .gates import log_factors

__all__ = ["GatedAttention", "GatedPooling"]


class GatedAttention(nn.Module):
    """A score per row: w . (tanh(V h) * sigmoid(U h)).

    Args:
        width: Width d of a row.
        hidden: Rows of V and U.

    Shape:
        - Input: (..., d)
        - Output: (..., 1)

    Source: M. Ilse, J. Tomczak and M. Welling, Attention-based deep multiple instance learning, ICML 2018,
    arXiv:1802.04712, eq. 9.

    Example:
        >>> import torch
        >>> GatedAttention(8, 4)(torch.randn(5, 8)).shape
        torch.Size([5, 1])
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        if hidden < 1:
            raise InputError(f"attention_width is {hidden}; it must be a positive integer")
        self.value, self.gate = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the scores."""
        return self.score(self.value(rows).tanh() * self.gate(rows).sigmoid())


class GatedPooling(nn.Module):
    """The mean of tokens weighted by the softmax of their gated attention.

    Args:
        width: Width d of a token.
        hidden: Width of the attention.

    Shape:
        - Tokens: (B, T, d); kept: None, or (B, T), how much of every token there is
        - Output: (B, d)

    Example:
        >>> import torch
        >>> GatedPooling(8, 4)(torch.ones(2, 5, 8))[0, 0].item()
        1.0
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.attention = GatedAttention(width, hidden)

    def forward(self, tokens: Tensor, kept: Tensor | None = None) -> Tensor:
        """Return the weighted mean."""
        scores = self.attention(tokens).squeeze(-1)
        shares = (scores if kept is None else scores + log_factors(kept)).softmax(1)
        return (shares.unsqueeze(1) @ tokens).squeeze(1)
