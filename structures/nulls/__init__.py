"""Null models: random transforms of a hierarchy that keep stated invariants and break the rest."""

from .base import NullModel, null_seed
from .coexpression import Coexpression
from .degree_preserving import DegreePreserving
from .erdos_renyi import ErdosRenyi
from .gene_sets import RandomGeneSets
from .invariants import INVARIANTS, broken_invariants, check_invariants
from .label_bins import PermuteInputsWithinBins
from .labels import PermuteInputs
from .read import NULL_MODELS, build_null, draw_null
from .relabel import RelabelNodes
from .report import NullReport
from .rewire import Rewire
from .shuffle_hierarchy import ShuffleHierarchy
from .shuffles import ColumnShuffle, RowShuffle

__all__ = [
    "INVARIANTS",
    "NULL_MODELS",
    "Coexpression",
    "ColumnShuffle",
    "DegreePreserving",
    "ErdosRenyi",
    "NullModel",
    "NullReport",
    "PermuteInputs",
    "PermuteInputsWithinBins",
    "RandomGeneSets",
    "RelabelNodes",
    "Rewire",
    "RowShuffle",
    "ShuffleHierarchy",
    "broken_invariants",
    "build_null",
    "check_invariants",
    "draw_null",
    "null_seed",
]
