"""Search for activations: engines that propose formulas, stages that judge them, a report that says how well."""

from .. import __version__ as _version  # noqa: F401  (refuses `import discovery` from the checkout)
from .candidate import Candidate
from .curve_table import CurveTable, NearCurve
from .engines.enumeration import enumerate_formulas
from .library import ActivationLibrary
from .novelty import known_as
from .result import (
    Contender,
    FinalActivation,
    SearchedCandidate,
    SearchResult,
    SelectionInflation,
    StageOutcome,
)
from .search import Search
from .search_settings import SearchSettings

__all__ = [
    "ActivationLibrary",
    "Candidate",
    "Contender",
    "CurveTable",
    "FinalActivation",
    "NearCurve",
    "Search",
    "SearchResult",
    "SearchSettings",
    "SearchedCandidate",
    "SelectionInflation",
    "StageOutcome",
    "enumerate_formulas",
    "known_as",
]
