"""Callbacks: reproducible steps, termination, guards and progress."""

from .finite_loss import FiniteLoss
from .plain_progress import PlainProgress
from .step_seed import StepSeed
from .termination import SaveOnTermination

__all__ = ["FiniteLoss", "PlainProgress", "SaveOnTermination", "StepSeed"]
