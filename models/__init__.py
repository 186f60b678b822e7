"""Networks and the tasks that train them."""

from .dense import DenseNetwork
from .dense_controls import dense_control
from .head_outputs import HeadOutputs, combined
from .layers import EdgeLinear
from .pathways import PathwayNetwork
from .replicas import Replicas, ReplicaTask
from .tasks import ClassificationTask, RegressionTask, Task

__all__ = [
    "ClassificationTask",
    "DenseNetwork",
    "EdgeLinear",
    "HeadOutputs",
    "PathwayNetwork",
    "RegressionTask",
    "ReplicaTask",
    "Replicas",
    "Task",
    "combined",
    "dense_control",
]
