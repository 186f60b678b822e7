"""Hierarchies and connectomes: what biological knowledge looks like as a graph. Imports no torch."""

from .. import __version__ as _version  # noqa: F401  (refuses `import structures` from the checkout)
from .connectome import Connectome, ConnectomeSummary, TypedEdges
from .entities import entity_of
from .files import HierarchyFiles, read_hierarchy
from .hierarchy import Hierarchy
from .layered import EdgeBlock
from .nulls import (
    INVARIANTS,
    NULL_MODELS,
    Coexpression,
    ColumnShuffle,
    DegreePreserving,
    ErdosRenyi,
    NullModel,
    NullReport,
    PermuteInputs,
    PermuteInputsWithinBins,
    RandomGeneSets,
    RelabelNodes,
    Rewire,
    RowShuffle,
    ShuffleHierarchy,
    broken_invariants,
    build_null,
    check_invariants,
    draw_null,
    null_seed,
)
from .policies import Policies, PolicyOptions
from .report import MatchingReport
from .spurious import SpuriousEdges, with_spurious_edges
from .summary import HierarchySummary
from .text_table import SourceFile, read_names

__all__ = [
    "INVARIANTS",
    "NULL_MODELS",
    "Coexpression",
    "ColumnShuffle",
    "Connectome",
    "ConnectomeSummary",
    "DegreePreserving",
    "EdgeBlock",
    "ErdosRenyi",
    "Hierarchy",
    "HierarchyFiles",
    "HierarchySummary",
    "MatchingReport",
    "NullModel",
    "NullReport",
    "PermuteInputs",
    "PermuteInputsWithinBins",
    "Policies",
    "PolicyOptions",
    "RandomGeneSets",
    "RelabelNodes",
    "Rewire",
    "RowShuffle",
    "ShuffleHierarchy",
    "SourceFile",
    "SpuriousEdges",
    "TypedEdges",
    "broken_invariants",
    "build_null",
    "check_invariants",
    "draw_null",
    "entity_of",
    "null_seed",
    "read_hierarchy",
    "read_names",
    "with_spurious_edges",
]
