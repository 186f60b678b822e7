"""Networks and the tasks that train them."""

from .dense import DenseNetwork
from .tasks import ClassificationTask, RegressionTask, Task

__all__ = ["ClassificationTask", "DenseNetwork", "RegressionTask", "Task"]
