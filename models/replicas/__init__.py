"""Many networks trained side by side as one module."""

from .replicas import Replicas

__all__ = ["Replicas"]
