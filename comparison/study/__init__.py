"""The plan of a comparison: arms, splits, seeds, draws."""

from ... import __version__ as _version  # noqa: F401  (refuses `import study` from the checkout)
from .plan import Plan, PlannedRun

__all__ = ["Plan", "PlannedRun"]
