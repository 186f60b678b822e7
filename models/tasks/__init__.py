"""Tasks: network + loss + metrics + optimizer, as LightningModules."""

from .classification import ClassificationTask
from .regression import RegressionTask
from .task import Task

__all__ = ["ClassificationTask", "RegressionTask", "Task"]
