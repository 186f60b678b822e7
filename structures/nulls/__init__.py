"""Null models: random transforms of a hierarchy that keep stated invariants and break the rest."""

from .base import NullModel, null_seed
from .degree_preserving import DegreePreserving
from .erdos_renyi import ErdosRenyi
from .invariants import INVARIANTS, broken_invariants, check_invariants
from .labels import PermuteInputs
from .read import build_null, draw_null
from .report import NullReport

__all__ = [
    "INVARIANTS",
    "DegreePreserving",
    "ErdosRenyi",
    "NullModel",
    "NullReport",
    "PermuteInputs",
    "broken_invariants",
    "build_null",
    "check_invariants",
    "draw_null",
    "null_seed",
]
