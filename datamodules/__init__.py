"""Lightning data modules: tables of your own, named sets, and the loader that serves them."""

from .few_shot import FewShotBatch, FewShotSequences
from .images import CIFAR10, Digits
from .loading import InMemoryLoader
from .multimodal import MultimodalSurvival
from .named import BreastCancer, Covertype, Higgs, NamedData, Spambase
from .omics import TCGA, ExpressionData, Proteomics
from .simulation import (
    PlantedPathways,
    SimulatedPathways,
    SimulatedTable,
    equivalent_pathways,
    expected_auroc,
    random_hierarchy,
    simulate_pathways,
)
from .slides import simulate_slides
from .table import TableDataModule
from .tabular import TabularData

__all__ = [
    "CIFAR10",
    "TCGA",
    "BreastCancer",
    "Covertype",
    "Digits",
    "ExpressionData",
    "FewShotBatch",
    "FewShotSequences",
    "Higgs",
    "InMemoryLoader",
    "MultimodalSurvival",
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
    "simulate_slides",
]
