"""What light does at a site."""

from .base import Opsin, towards
from .noise import Noise, Resample
from .patterns import Forbid, Induction, Match, OnlyLabels, PreviousToken
from .registry import OPSINS, build_opsin
from .sources import Copy, CopyScores, Patch
from .subspace import Steer, Subspace
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
    "Noise",
    "OnlyLabels",
    "Opsin",
    "Patch",
    "PreviousToken",
    "Resample",
    "Sham",
    "Shunt",
    "Silence",
    "Steer",
    "Subspace",
    "build_opsin",
    "towards",
]
