"""Callbacks: reproducible steps, termination, guards, progress, curves, pathways and prototypes."""

from .activation_doctor import ActivationDoctor
from .activation_recorder import ActivationRecorder
from .efficiency_report import EfficiencyReport
from .finite_loss import FiniteLoss
from .input_audit import InputAudit
from .kmeans_prototypes import KMeansPrototypes
from .optogenetics import Optogenetics
from .pathway_report import PathwayReport
from .plain_progress import PlainProgress
from .prototype_health import PrototypeWatch
from .recording import read_activations
from .step_seed import StepSeed
from .survival_report import SurvivalReport
from .termination import SaveOnTermination
from .training_curves import TrainingCurves

__all__ = [
    "ActivationDoctor",
    "ActivationRecorder",
    "EfficiencyReport",
    "FiniteLoss",
    "InputAudit",
    "KMeansPrototypes",
    "Optogenetics",
    "PathwayReport",
    "PlainProgress",
    "PrototypeWatch",
    "SaveOnTermination",
    "StepSeed",
    "SurvivalReport",
    "TrainingCurves",
    "read_activations",
]
