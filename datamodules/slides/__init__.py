"""Whole slides as bags of patch features: real file formats, read lazily; and slides simulated with planted links."""

from .settings import SlideSimulation
from .simulate import SimulatedSlides, simulate_slides
from .store import PatientPatches, SlideStore

__all__ = ["PatientPatches", "SimulatedSlides", "SlideSimulation", "SlideStore", "simulate_slides"]
