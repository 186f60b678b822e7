"""Networks whose units are the nodes of a hierarchy."""

from .designs import DESIGNS, Design
from .layer import PathwayLayer
from .network import PathwayNetwork

__all__ = ["DESIGNS", "Design", "PathwayLayer", "PathwayNetwork"]
