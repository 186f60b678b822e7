"""Importance of nodes against chance: networks on null hierarchies and on shuffled labels."""

from .result import ImportanceStudy
from .study import importance_study

__all__ = ["ImportanceStudy", "importance_study"]
