"""Networks of attention alone, whose every intermediate value is a site."""

from .transformer import AttentionOnlyTransformer

__all__ = ["AttentionOnlyTransformer"]
