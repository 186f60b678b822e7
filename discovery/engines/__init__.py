"""Where formulas come from: complete enumeration, gplearn, Operon, behind one interface."""

from .base import Engine, SearchRows

__all__ = ["Engine", "SearchRows"]
