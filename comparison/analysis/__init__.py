"""From the runs of a study to verdicts: scores per split, paired comparisons, nulls, doses, what is still needed."""

from ... import __version__ as _version  # noqa: F401  (refuses `import analysis` from the checkout)
from .analyze import analyze
from .tables import Contrast, NamedComparison, ReportData

__all__ = ["Contrast", "NamedComparison", "ReportData", "analyze"]
