"""Callbacks: reproducible steps, termination, guards, progress and curves."""

from .finite_loss import FiniteLoss
from .plain_progress import PlainProgress
from .step_seed import StepSeed
from .termination import SaveOnTermination
from .training_curves import TrainingCurves

__all__ = ["FiniteLoss", "PlainProgress", "SaveOnTermination", "StepSeed", "TrainingCurves"]
