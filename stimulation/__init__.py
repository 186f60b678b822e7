"""Stimulation: what light does to which activations, when, and what flows back."""

from .clock import Clock
from .conductor import Conductor
from .faithfulness import Faithfulness, faithfulness, row_and_null
from .gradient import GradientRule
from .kinetics import Kinetics
from .progress import progress_measures
from .protocol import Protocol
from .scene import Place, Scene

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
