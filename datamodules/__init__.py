"""Lightning data modules: tables of your own, named sets, and the loader that serves them."""

from .loading import InMemoryLoader
from .named import BreastCancer, Covertype, Higgs, NamedData, Spambase
from .proteomics import Proteomics
from .table import TableDataModule
from .tabular import TabularData

__all__ = [
    "BreastCancer",
    "Covertype",
    "Higgs",
    "InMemoryLoader",
    "NamedData",
    "Proteomics",
    "Spambase",
    "TableDataModule",
    "TabularData",
]
