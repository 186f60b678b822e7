"""Callbacks: reproducible steps, termination, guards, progress, curves and pathways."""

from .finite_loss import FiniteLoss
from .pathway_report import PathwayReport
from .plain_progress import PlainProgress
from .step_seed import StepSeed
from .termination import SaveOnTermination
from .training_curves import TrainingCurves

__all__ = ["FiniteLoss", "PathwayReport", "PlainProgress", "SaveOnTermination", "StepSeed", "TrainingCurves"]
