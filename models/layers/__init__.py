"""Layers that multiply only the edges that exist."""

from .edge_linear import EdgeLinear
from .initialization import initialize_edges_
from .structure import EdgeStructure

__all__ = ["EdgeLinear", "EdgeStructure", "initialize_edges_"]
