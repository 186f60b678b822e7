"""From the runs of a study to verdicts: scores per split, paired comparisons, nulls, doses, what is still needed."""

from ... import __version__ as _version  # noqa: F401  (refuses `import analysis` from the checkout)
from .analyze import analyze
from .contrasts import spoken
from .tables import (
    ArmSummary,
    Contrast,
    DoseResponse,
    FailureGroup,
    LearningCurve,
    NamedComparison,
    NullQuality,
    ReportData,
)

__all__ = [
    "ArmSummary",
    "Contrast",
    "DoseResponse",
    "FailureGroup",
    "LearningCurve",
    "NamedComparison",
    "NullQuality",
    "ReportData",
    "analyze",
    "spoken",
]
