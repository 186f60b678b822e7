"""Networks of several modalities: expression, whole slides and clinical columns of patients who may lack some."""

from .abmil import ABMIL
from .cross_attention import CrossAttention
from .gene_network import GeneNetwork
from .gene_sets import GeneSetTokens
from .mcat import MCATLike
from .mmp import MMPLike
from .modalities import AbsentModalities, keep_modalities, modality_subsets
from .protopathway import FusionReading, ProtoPathway
from .survpath import SurvPathLike

__all__ = [
    "ABMIL",
    "AbsentModalities",
    "CrossAttention",
    "FusionReading",
    "GeneNetwork",
    "GeneSetTokens",
    "MCATLike",
    "MMPLike",
    "ProtoPathway",
    "SurvPathLike",
    "keep_modalities",
    "modality_subsets",
]
