"""Lightning data modules: tables of your own, named sets, and the loader that serves them."""

from .effects import expected_auroc
from .expression import ExpressionData
from .feature_sets import equivalent_pathways
from .loading import InMemoryLoader
from .named import BreastCancer, Covertype, Higgs, NamedData, Spambase
from .planted import PlantedPathways
from .proteomics import Proteomics
from .random_trees import random_hierarchy
from .simulated_pathways import SimulatedPathways
from .simulation import SimulatedTable, simulate_pathways
from .table import TableDataModule
from .tabular import TabularData
from .tcga import TCGA

__all__ = [
    "TCGA",
    "BreastCancer",
    "Covertype",
    "ExpressionData",
    "Higgs",
    "InMemoryLoader",
    "NamedData",
    "PlantedPathways",
    "Proteomics",
    "SimulatedPathways",
    "SimulatedTable",
    "Spambase",
    "TableDataModule",
    "TabularData",
    "equivalent_pathways",
    "expected_auroc",
    "random_hierarchy",
    "simulate_pathways",
]
