"""Search for activations: engines that propose formulas, stages that judge them, a report that says how well."""

from .. import __version__ as _version  # noqa: F401  (refuses `import discovery` from the checkout)
from .candidate import Candidate
from .curve_table import CurveTable, NearCurve
from .engines.enumeration import enumerate_formulas
from .library import ActivationLibrary
from .novelty import known_as

__all__ = ["ActivationLibrary", "Candidate", "CurveTable", "NearCurve", "enumerate_formulas", "known_as"]
