"""Tables of molecules by sample: proteomes, expression, cohorts with an outcome."""

from .expression import ExpressionData
from .proteomics import Proteomics
from .tcga import TCGA

__all__ = ["TCGA", "ExpressionData", "Proteomics"]
