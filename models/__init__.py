"""Networks and the tasks that train them."""

from .attention import AttentionOnlyTransformer, attention_patterns, head_accuracies
from .auxiliary_losses import auxiliary_losses
from .bags import PackedBags, pack
from .convolutional import ConvolutionalNetwork
from .dense import DenseNetwork
from .dense_controls import dense_control
from .fusion import ABMIL, GeneNetwork, MCATLike, MMPLike, ProtoPathway, SurvPathLike
from .gene_graphs import GeneGraphEncoder, GenePathwayGraph
from .head_outputs import HeadOutputs, combined
from .layers import EdgeLinear
from .pathways import PathwayNetwork
from .prototypes import PrototypeEncoder
from .rank_one_tensor import RankOneTensor
from .replicas import Replicas, ReplicaTask
from .sites import Electrode, Site, find_sites, sites_of
from .tasks import ClassificationTask, InContextTask, RegressionTask, SurvivalTask, Task

__all__ = [
    "ABMIL",
    "AttentionOnlyTransformer",
    "ClassificationTask",
    "ConvolutionalNetwork",
    "DenseNetwork",
    "EdgeLinear",
    "Electrode",
    "GeneGraphEncoder",
    "GeneNetwork",
    "GenePathwayGraph",
    "HeadOutputs",
    "InContextTask",
    "MCATLike",
    "MMPLike",
    "PackedBags",
    "PathwayNetwork",
    "ProtoPathway",
    "PrototypeEncoder",
    "RankOneTensor",
    "RegressionTask",
    "ReplicaTask",
    "Replicas",
    "Site",
    "SurvPathLike",
    "SurvivalTask",
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
