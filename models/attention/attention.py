"""Causal self-attention in which every intermediate value is a site.

Legend of shapes: B batch, T positions, Q query positions (T, or 1 for the last one alone), D width, H heads,
K width of a head.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import InputError
from ..sites import Electrode
from .rotary import Rotary

__all__ = ["AttentionKind", "CausalAttention"]

AttentionKind = Literal["explicit", "fused"]

# A library call for hundreds of products of 5 by 8 by 5 costs more than what it computes: up to this many terms per
# head multiplying and summing is faster, by 20 % of a whole compiled update on five tokens.
LARGEST_FUSED_PRODUCT = 512

NOT_COMPUTED = "attention 'fused' never computes it; set the network's attention to 'explicit'"


class CausalAttention(nn.Module):
    """Layer norm, then causal attention with rotary positions: softmax(q k^T / sqrt(K)) v for every head.

    Sites, in the order of the computation: `query_input`, `key_input`, `value_input` (what each of the three reads of
    the residual stream, before the layer norm), `q` and `k` (after the rotation), `v`, `scores` (before the mask and
    the softmax), `pattern`, `head_output`, `output`. What is written into `scores` or `pattern` at masked entries
    stays without effect.

    Args:
        num_heads: Heads H.
        head_width: Width K of a head; the width D is H K.
        attention: "explicit" computes scores and patterns; "fused" leaves them to
            `torch.nn.functional.scaled_dot_product_attention` and has no such sites.
        rotary_base: Base of the rotary angles.
        max_positions: Longest sequence.

    Shape:
        - Input: (B, T, D)
        - Output: (B, T, D), or (B, 1, D) for the last query alone

    Raises:
        InputError: If a size is not positive, the head width is odd, or `attention` is unknown.

    Example:
        >>> attention = CausalAttention(num_heads=8, head_width=8)
        >>> x = torch.randn(2, 5, 64)
        >>> attention(x).shape
        torch.Size([2, 5, 64])
        >>> bool(torch.allclose(attention(x, last_only=True), attention(x)[:, -1:], atol=1e-6))
        True
    """

    mask: Tensor

    def __init__(
        self,
        num_heads: int,
        head_width: int,
        attention: AttentionKind = "explicit",
        rotary_base: float = 1e4,
        max_positions: int = 128,
    ) -> None:
        super().__init__()
        if attention not in ("explicit", "fused"):
            raise InputError(f"attention is {attention!r}; it must be 'explicit' or 'fused'")
        if num_heads < 1:
            raise InputError(f"num_heads is {num_heads}; it must be a positive integer")
        self.num_heads, self.head_width, self.attention = num_heads, head_width, attention
        self.width = width = num_heads * head_width
        self.rotary = Rotary(head_width, rotary_base, max_positions)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.projection = nn.Linear(width, width, bias=False)
        self.query_input, self.key_input, self.value_input = (_stream(width) for _ in range(3))
        self.q, self.k, self.v = (_heads(num_heads, head_width) for _ in range(3))
        if attention == "explicit":
            self.scores, self.pattern = (_attention(num_heads) for _ in range(2))
        self.head_output = _heads(num_heads, head_width)
        self.output = _stream(width)
        causal = torch.ones(max_positions, max_positions, dtype=torch.bool).tril()
        self.register_buffer("mask", causal, persistent=False)

    @property
    def absent_sites(self) -> dict[str, str]:
        """Names of sites that a reader may ask for, and why they do not exist."""
        return {} if self.attention == "explicit" else dict.fromkeys(("scores", "pattern"), NOT_COMPUTED)

    def forward(self, x: Tensor, last_only: bool = False) -> Tensor:
        """Return what attention adds to the residual stream, at all positions or at the last one alone."""
        q, k, v = self._projected(x, last_only)
        q, k, v = self.q(q), self.k(k), self.v(v)
        if self.attention == "fused":
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=not last_only)
        else:
            mixed = _products(self._pattern(q, k), v.transpose(-1, -2))
        mixed = self.head_output(mixed)
        return self.output(self.projection(mixed.transpose(1, 2).flatten(2)))

    def _projected(self, x: Tensor, last_only: bool) -> tuple[Tensor, Tensor, Tensor]:
        inputs = self.query_input(x), self.key_input(x), self.value_input(x)
        last = x.shape[1] - 1
        same = inputs[0] is inputs[1] and inputs[1] is inputs[2]
        if same and not last_only:
            q_and_k, v = self._by_head(self.qkv(self.norm(inputs[0])), 3).tensor_split([2])
            q, k = self.rotary(q_and_k).unbind()
            return q, k, v[0]
        normed = [self.norm(inputs[0])] * 3 if same else [self.norm(value) for value in inputs]
        query_weight, key_value_weight = self.qkv.weight.tensor_split([self.width])
        q = F.linear(normed[0][:, last:] if last_only else normed[0], query_weight)
        if same:
            k, v = self._by_head(F.linear(normed[1], key_value_weight), 2).unbind()
        else:
            weights = key_value_weight.chunk(2)
            k, v = (self._by_head(F.linear(*pair), 1)[0] for pair in zip(normed[1:], weights, strict=True))
        return self.rotary(self._by_head(q, 1)[0], last if last_only else 0), self.rotary(k), v

    def _by_head(self, x: Tensor, parts: int) -> Tensor:
        """Split (B, T, parts D) into (parts, B, H, T, K)."""
        return x.unflatten(-1, (parts, self.num_heads, self.head_width)).permute(2, 0, 3, 1, 4)

    def _pattern(self, q: Tensor, k: Tensor) -> Tensor:
        scores = self.scores(_products(q, k) * self.head_width**-0.5)
        queries, keys = scores.shape[-2:]
        if queries == 1:  # the last one, which may look at everything
            return self.pattern(scores.softmax(dim=-1))
        mask = self.mask[keys - queries : keys, :keys]
        pattern = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
        written = self.pattern(pattern)
        return pattern if written is pattern else written.masked_fill(~mask, 0.0)


def _products(rows: Tensor, columns: Tensor) -> Tensor:
    """Return rows (B, H, M, K) times columns (B, H, N, K), summed over K: (B, H, M, N)."""
    size = rows.shape[-2] * columns.shape[-2] * rows.shape[-1]
    if size > LARGEST_FUSED_PRODUCT:
        return rows @ columns.transpose(-1, -2)
    return (rows.unsqueeze(-2) * columns.unsqueeze(-3)).sum(-1)


def _stream(width: int) -> Electrode:
    return Electrode("batch", "position", "unit", sizes={"unit": width})


def _heads(num_heads: int, head_width: int) -> Electrode:
    return Electrode("batch", "head", "position", "unit", sizes={"head": num_heads, "unit": head_width})


def _attention(num_heads: int) -> Electrode:
    return Electrode("batch", "head", "query", "key", sizes={"head": num_heads})
