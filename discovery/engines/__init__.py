"""Where formulas come from: complete enumeration, gplearn, Operon, behind one interface."""

from .base import Engine, SearchRows
from .enumeration import Enumeration

__all__ = ["Engine", "Enumeration", "SearchRows"]
