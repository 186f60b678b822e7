"""Sequences of exemplars and labels whose query only the context can name."""

from .few_shot import FewShotSequences
from .sequences import FewShotBatch

__all__ = ["FewShotBatch", "FewShotSequences"]
