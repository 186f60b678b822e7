"""Where formulas come from: complete enumeration, gplearn, Operon, behind one interface."""

from .base import Engine, SearchRows
from .data_rows import search_rows
from .enumeration import Enumeration
from .gplearn_engine import GplearnEngine
from .operon_engine import OperonEngine
from .registry import build_engine

__all__ = ["Engine", "Enumeration", "GplearnEngine", "OperonEngine", "SearchRows", "build_engine", "search_rows"]
