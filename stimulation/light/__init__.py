"""When light shines, and how strongly."""

from .assignment import assign_samples
from .base import LightState, Shape
from .build import build_light
from .closed_loop import PI, Trigger
from .light import Light
from .pulse import Pulse, Waveform
from .ramp import Ramp, Sine
from .schedule import light_schedule
from .sensor import Sensor
from .window import Window

__all__ = [
    "PI",
    "Light",
    "LightState",
    "Pulse",
    "Ramp",
    "Sensor",
    "Shape",
    "Sine",
    "Trigger",
    "Waveform",
    "Window",
    "assign_samples",
    "build_light",
    "light_schedule",
]
