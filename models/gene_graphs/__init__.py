"""Graph neural networks from the expression of genes to tokens of pathways."""

from .attention import MembershipAttention
from .encoder import GeneGraphEncoder, PathwayTokens
from .gates import DepthGate, PathwayGate
from .graph import GenePathwayGraph
from .messages import GraphSample, NeighbourMean

__all__ = [
    "DepthGate",
    "GeneGraphEncoder",
    "GenePathwayGraph",
    "GraphSample",
    "MembershipAttention",
    "NeighbourMean",
    "PathwayGate",
    "PathwayTokens",
]
