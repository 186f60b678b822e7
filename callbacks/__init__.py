"""Callbacks: reproducible steps, termination, guards, progress, curves and pathways."""

from .activation_doctor import ActivationDoctor
from .activation_recorder import ActivationRecorder
from .efficiency_report import EfficiencyReport
from .finite_loss import FiniteLoss
from .optogenetics import Optogenetics
from .pathway_report import PathwayReport
from .plain_progress import PlainProgress
from .recording import read_activations
from .step_seed import StepSeed
from .termination import SaveOnTermination
from .training_curves import TrainingCurves

__all__ = [
    "ActivationDoctor",
    "ActivationRecorder",
    "EfficiencyReport",
    "FiniteLoss",
    "Optogenetics",
    "PathwayReport",
    "PlainProgress",
    "SaveOnTermination",
    "StepSeed",
    "TrainingCurves",
    "read_activations",
]
