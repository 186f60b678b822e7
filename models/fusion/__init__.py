"""Networks of several modalities: expression, whole slides and clinical columns of patients who may lack some."""

from .cross_attention import CrossAttention
from .modalities import AbsentModalities, keep_modalities, modality_subsets
from .protopathway import FusionReading, ProtoPathway

__all__ = [
    "AbsentModalities",
    "CrossAttention",
    "FusionReading",
    "ProtoPathway",
    "keep_modalities",
    "modality_subsets",
]
