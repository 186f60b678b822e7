"""Stimulation: what light does to which activations, when, and what flows back."""

from .clock import Clock
from .gradient import GradientRule
from .scene import Place, Scene

__all__ = ["Clock", "GradientRule", "Place", "Scene"]
