"""Networks of attention alone, whose every intermediate value is a site."""

from .heads import attention_patterns, head_accuracies
from .transformer import AttentionOnlyTransformer

__all__ = ["AttentionOnlyTransformer", "attention_patterns", "head_accuracies"]
