"""Control protocols: what else the light could have done, so that what it does means something."""

from .kinds import CONTROLS, Controls, controls_of, opposite
from .matched_units import random_units
from .other_units import complement

__all__ = ["CONTROLS", "Controls", "complement", "controls_of", "opposite", "random_units"]
