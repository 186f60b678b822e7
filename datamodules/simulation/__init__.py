"""Phenotypes that known pathways cause: what any method that claims to find pathways can be held against."""

from .effects import expected_auroc
from .feature_sets import equivalent_pathways
from .planted import PlantedPathways
from .random_trees import random_hierarchy
from .simulated_pathways import SimulatedPathways
from .simulated_table import SimulatedTable, simulate_pathways

__all__ = [
    "PlantedPathways",
    "SimulatedPathways",
    "SimulatedTable",
    "equivalent_pathways",
    "expected_auroc",
    "random_hierarchy",
    "simulate_pathways",
]
