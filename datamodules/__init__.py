"""Lightning data modules: tables of your own, named sets, and the loader that serves them."""

from .expression import ExpressionData
from .loading import InMemoryLoader
from .named import BreastCancer, Covertype, Higgs, NamedData, Spambase
from .proteomics import Proteomics
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
    "Proteomics",
    "Spambase",
    "TableDataModule",
    "TabularData",
]
