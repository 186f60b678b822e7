"""Many networks trained side by side as one module."""

from .replicas import Replicas
from .task import ReplicaTask

__all__ = ["ReplicaTask", "Replicas"]
