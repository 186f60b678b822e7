"""Networks and the tasks that train them."""

from .dense import DenseNetwork
from .layers import EdgeLinear
from .tasks import ClassificationTask, RegressionTask, Task

__all__ = ["ClassificationTask", "DenseNetwork", "EdgeLinear", "RegressionTask", "Task"]
