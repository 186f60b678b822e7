"""Search for activations: engines that propose formulas, stages that judge them, a report that says how well."""

from .. import __version__ as _version  # noqa: F401  (refuses `import discovery` from the checkout)
from .candidate import Candidate

__all__ = ["Candidate"]
