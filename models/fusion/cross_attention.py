"""Attention of a few queries to many keys whose intermediate values are sites.

Legend of shapes: B patients, Q queries, P keys, d width, H heads, c width of a head.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import InputError
from ..sites import Electrode
from .gates import log_factors

__all__ = ["CrossAttention"]


class CrossAttention(nn.Module):
    """Multi-head attention in which the keys are the values, without projecting the many keys.

    Equal to `torch.nn.MultiheadAttention` on (queries, keys, keys), with parameters of the same number and start:

        out = W_o concat_h(softmax((W_q t + b_q)_h (W_k p + b_k)_h / sqrt(c)) (W_v p + b_v)_h) + b_o

    Since (W_q t)_h (W_k p)_h = ((W_k)_h^T (W_q t)_h) p, the queries are taken to the space of the keys instead of the
    keys to that of the queries, and the weighted sums of keys are projected instead of the keys: with 16 queries, 2
    heads and 662 keys that is an eighth of the products. (b_k shifts all scores of a query alike, so that its gradient
    is 0; it is counted in the published number of parameters.)

    Sites: `scores` and `pattern` (batch, head, query, key), `output` (batch, position, unit).

    Args:
        width: Width d of queries and keys.
        num_heads: Heads H; they divide the width.
        dropout: Share of the pattern that is zeroed in training.

    Shape:
        - Queries: (B, Q, d); keys: (B, P, d); kept: None, or (B, P), how much of every key there is, 1 for all
        - Output: (B, Q, d), and the pattern (B, H, Q, P) before dropout

    Raises:
        InputError: If the heads do not divide the width or dropout is outside [0, 1).

    Source: A. Vaswani et al., Attention is all you need, NeurIPS 2017, arXiv:1706.03762.

    Example:
        >>> attention = CrossAttention(width=8, num_heads=2)
        >>> out, pattern = attention(torch.randn(3, 4, 8), torch.randn(3, 10, 8))
        >>> out.shape, pattern.shape, pattern.sum(-1).allclose(torch.ones(3, 2, 4))
        (torch.Size([3, 4, 8]), torch.Size([3, 2, 4, 10]), True)
    """

    def __init__(self, width: int, num_heads: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        if num_heads < 1 or width % num_heads:
            raise InputError(f"attention_heads is {num_heads}, which does not divide the width {width}")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout is {dropout}; it must lie in [0, 1)")
        self.num_heads, self.head_width, self.dropout = num_heads, width // num_heads, dropout
        self.query, self.key, self.value, self.projection = (nn.Linear(width, width) for _ in range(4))
        for layer in (self.query, self.key, self.value):
            # Glorot of the three as one matrix, as torch starts its own.
            nn.init.uniform_(layer.weight, -((1.5 / width) ** 0.5), (1.5 / width) ** 0.5)
        for layer in (self.query, self.key, self.value, self.projection):
            nn.init.zeros_(layer.bias)
        self.scores, self.pattern = (
            Electrode("batch", "head", "query", "key", sizes={"head": num_heads}) for _ in "sp"
        )
        self.output = Electrode("batch", "position", "unit", sizes={"unit": width})

    def forward(self, queries: Tensor, keys: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what every query takes from the keys, and how much of each."""
        parts = (self.num_heads, self.head_width)
        query = self.query(queries).unflatten(-1, parts)
        in_key_space = torch.einsum("bqhc,hcd->bhqd", query, self.key.weight.unflatten(0, parts))
        shift = torch.einsum("bqhc,hc->bhq", query, self.key.bias.view(parts)).unsqueeze(-1)
        scores = (in_key_space.flatten(1, 2) @ keys.transpose(1, 2)).unflatten(1, (self.num_heads, -1))
        scores = (scores + shift) * self.head_width**-0.5
        if kept is not None:
            scores = scores + log_factors(kept)[:, None, None]
        pattern = self.pattern(self.scores(scores).softmax(-1))
        shares = F.dropout(pattern, self.dropout, self.training)
        taken = (shares.flatten(1, 2) @ keys).unflatten(1, (self.num_heads, -1))
        mixed = torch.einsum("bhqd,hcd->bqhc", taken, self.value.weight.unflatten(0, parts))
        # the bias of a value is taken as often as there are shares, which dropout has changed
        mixed = mixed + shares.sum(-1).transpose(1, 2).unsqueeze(-1) * self.value.bias.view(parts)
        return self.output(self.projection(mixed.flatten(2))), pattern
