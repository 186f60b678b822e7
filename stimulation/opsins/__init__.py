"""What light does at a site."""

from .base import Opsin
from .patterns import Forbid, Induction, Match, OnlyLabels, PreviousToken
from .registry import OPSINS, build_opsin
from .sources import Copy, CopyScores, Patch
from .values import Clamp, Drive, Lesion, Sham, Shunt, Silence

__all__ = [
    "OPSINS",
    "Clamp",
    "Copy",
    "CopyScores",
    "Drive",
    "Forbid",
    "Induction",
    "Lesion",
    "Match",
    "OnlyLabels",
    "Opsin",
    "Patch",
    "PreviousToken",
    "Sham",
    "Shunt",
    "Silence",
    "build_opsin",
]
