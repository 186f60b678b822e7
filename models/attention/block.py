"""One layer of an attention-only network.

Legend of shapes: B batch, T positions, D width.
"""

from torch import Tensor, nn

from ..sites import Electrode
from .attention import AttentionKind, CausalAttention

__all__ = ["AttentionBlock"]

# Sites within a block whose values do not depend on which queries are computed.
_INDEPENDENT_OF_QUERIES = ("query_input", "key_input", "value_input", "k", "v", "norm")


class AttentionBlock(nn.Module):
    """Add to the residual stream what attention reads of it; the sum is the site `residual`.

    Args:
        num_heads: Heads H.
        head_width: Width K of a head; the width D is H K.
        attention: "explicit" or "fused", see `CausalAttention`.
        rotary_base: Base of the rotary angles.
        max_positions: Longest sequence.

    Shape:
        - Input: (B, T, D)
        - Output: (B, T, D), or (B, 1, D) for the last position alone

    Example:
        >>> import torch
        >>> AttentionBlock(num_heads=8, head_width=8)(torch.zeros(2, 5, 64)).shape
        torch.Size([2, 5, 64])
    """

    def __init__(
        self,
        num_heads: int,
        head_width: int,
        attention: AttentionKind = "explicit",
        rotary_base: float = 1e4,
        max_positions: int = 128,
    ) -> None:
        super().__init__()
        self.attention = CausalAttention(num_heads, head_width, attention, rotary_base, max_positions)
        self.residual = Electrode("batch", "position", "unit", sizes={"unit": num_heads * head_width})

    def forward(self, x: Tensor, last_only: bool = False) -> Tensor:
        """Return the residual stream after the block, at all positions or at the last one alone."""
        added = self.attention(x, last_only)
        return self.residual((x[:, -1:] if last_only else x) + added)

    def is_read(self) -> bool:
        """Tell whether a hook looks at a value of this block that has one row per query."""
        if _is_hooked(self) or _is_hooked(self.residual) or _is_hooked(self.attention):
            return True
        for name, part in self.attention.named_children():
            if name not in _INDEPENDENT_OF_QUERIES and _is_hooked(part):
                return True
        return False


def _is_hooked(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )
