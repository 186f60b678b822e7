"""Tasks: network + loss + metrics + optimizer, as LightningModules."""

from .classification import ClassificationTask
from .in_context import InContextTask
from .regression import RegressionTask
from .spec_types import register_spec_types
from .survival import SurvivalTask
from .task import Task

__all__ = ["ClassificationTask", "InContextTask", "RegressionTask", "SurvivalTask", "Task"]

# Before any config or checkpoint is parsed, by the command line or by `load_from_checkpoint`.
register_spec_types()
