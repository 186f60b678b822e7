"""Networks and the tasks that train them."""

from .attention import AttentionOnlyTransformer, attention_patterns, head_accuracies
from .auxiliary_losses import auxiliary_losses
from .bags import PackedBags, pack
from .convolutional import ConvolutionalNetwork
from .dense import DenseNetwork
from .dense_controls import dense_control
from .head_outputs import HeadOutputs, combined
from .layers import EdgeLinear
from .pathways import PathwayNetwork
from .prototypes import PrototypeEncoder
from .rank_one_tensor import RankOneTensor
from .replicas import Replicas, ReplicaTask
from .sites import Electrode, Site, find_sites, sites_of
from .tasks import ClassificationTask, InContextTask, RegressionTask, Task

__all__ = [
    "AttentionOnlyTransformer",
    "ClassificationTask",
    "ConvolutionalNetwork",
    "DenseNetwork",
    "EdgeLinear",
    "Electrode",
    "HeadOutputs",
    "InContextTask",
    "PackedBags",
    "PathwayNetwork",
    "PrototypeEncoder",
    "RankOneTensor",
    "RegressionTask",
    "ReplicaTask",
    "Replicas",
    "Site",
    "Task",
    "attention_patterns",
    "auxiliary_losses",
    "combined",
    "dense_control",
    "find_sites",
    "head_accuracies",
    "pack",
    "sites_of",
]
