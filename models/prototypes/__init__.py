"""Prototypes: the patches of a slide shared out among a few learned places."""

from .assignment import Assigned, PrototypeAssignment
from .choice import AssignmentSpec, build_assignment
from .encoder import PrototypeEncoder, PrototypeReading
from .gaussian_mixture import GaussianMixtureAssignment
from .health import PrototypeHealth, prototype_health
from .kmeans import KMeansResult, kmeans_prototypes
from .penalties import diversity_penalty, sharpening_penalty, usage_penalty
from .similarity import CosineAssignment, StudentTAssignment
from .sinkhorn import SinkhornAssignment
from .slot import SlotAssignment

__all__ = [
    "Assigned",
    "AssignmentSpec",
    "CosineAssignment",
    "GaussianMixtureAssignment",
    "KMeansResult",
    "PrototypeAssignment",
    "PrototypeEncoder",
    "PrototypeHealth",
    "PrototypeReading",
    "SinkhornAssignment",
    "SlotAssignment",
    "StudentTAssignment",
    "build_assignment",
    "diversity_penalty",
    "kmeans_prototypes",
    "prototype_health",
    "sharpening_penalty",
    "usage_penalty",
]
