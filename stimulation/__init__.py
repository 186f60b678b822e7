"""Stimulation: what light does to which activations, when, and what flows back."""

from .clock import Clock
from .conductor import Conductor
from .gradient import GradientRule
from .progress import progress_measures
from .protocol import Protocol
from .scene import Place, Scene

__all__ = ["Clock", "Conductor", "GradientRule", "Place", "Protocol", "Scene", "progress_measures"]
