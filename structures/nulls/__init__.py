"""Null models: random transforms of a hierarchy that keep stated invariants and break the rest."""

from .report import NullReport

__all__ = ["NullReport"]
