"""Networks and the tasks that train them."""

from .attention import AttentionOnlyTransformer
from .dense import DenseNetwork
from .dense_controls import dense_control
from .head_outputs import HeadOutputs, combined
from .layers import EdgeLinear
from .pathways import PathwayNetwork
from .rank_one_tensor import RankOneTensor
from .replicas import Replicas, ReplicaTask
from .sites import Electrode, Site, find_sites, sites_of
from .tasks import ClassificationTask, RegressionTask, Task

__all__ = [
    "AttentionOnlyTransformer",
    "ClassificationTask",
    "DenseNetwork",
    "EdgeLinear",
    "Electrode",
    "HeadOutputs",
    "PathwayNetwork",
    "RankOneTensor",
    "RegressionTask",
    "ReplicaTask",
    "Replicas",
    "Site",
    "Task",
    "combined",
    "dense_control",
    "find_sites",
    "sites_of",
]
