"""Protocols: which stimuli act in a run, as plain data that a config and a checkpoint can hold."""

from .binding import BoundStimulus
from .protocol import Protocol
from .record import PhotostimulationRecord
from .stimulus import Stimulus
from .target import Target

__all__ = ["BoundStimulus", "PhotostimulationRecord", "Protocol", "Stimulus", "Target"]
