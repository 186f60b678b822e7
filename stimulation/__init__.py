"""Stimulation: what light does to which activations, when, and what flows back."""

from .clock import Clock
from .conducting.conductor import Conductor
from .gradient import GradientRule
from .kinetics import Kinetics
from .progress import progress_measures
from .protocol import Protocol
from .scene import Place, Scene
from .subspaces import Faithfulness, faithfulness, row_and_null

__all__ = [
    "Clock",
    "Conductor",
    "Faithfulness",
    "GradientRule",
    "Kinetics",
    "Place",
    "Protocol",
    "Scene",
    "faithfulness",
    "progress_measures",
    "row_and_null",
]
