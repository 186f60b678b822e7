"""Hierarchies and connectomes: what biological knowledge looks like as a graph. Imports no torch."""

from .. import __version__ as _version  # noqa: F401  (refuses `import structures` from the checkout)
from .connectome import Connectome, ConnectomeSummary, TypedEdges
from .entities import entity_of
from .files import HierarchyFiles, read_hierarchy
from .hierarchy import Hierarchy
from .layered import EdgeBlock
from .nulls import NullReport
from .policies import Policies, PolicyOptions
from .report import MatchingReport
from .summary import HierarchySummary
from .text_table import SourceFile, read_names

__all__ = [
    "Connectome",
    "ConnectomeSummary",
    "EdgeBlock",
    "Hierarchy",
    "HierarchyFiles",
    "HierarchySummary",
    "MatchingReport",
    "NullReport",
    "Policies",
    "PolicyOptions",
    "SourceFile",
    "TypedEdges",
    "entity_of",
    "read_hierarchy",
    "read_names",
]
