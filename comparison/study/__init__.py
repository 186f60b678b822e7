"""The plan of a comparison: arms, splits, seeds, draws."""

from ... import __version__ as _version  # noqa: F401  (refuses `import study` from the checkout)
from .arms import Arm
from .budget import Budget
from .fields import StudyFields
from .plan import Plan, PlannedRun
from .study import Study
from .study_file import find_study, read_study

__all__ = ["Arm", "Budget", "Plan", "PlannedRun", "Study", "StudyFields", "find_study", "read_study"]
