"""What a study says: arms, factors, splits, and the runs that follow; checked, not executed."""

from ... import __version__ as _version  # noqa: F401  (refuses `import design` from the checkout)
from .arms import Arm
from .fields import StudyFields
from .plan import Plan, PlannedRun
from .study_file import read_study

__all__ = ["Arm", "Plan", "PlannedRun", "StudyFields", "read_study"]
