"""Many arms at once: one network under several protocols and seeds, trained as one run."""

from .arms import Arms, accuracy
from .data import ArmData
from .measures import measure_heads

__all__ = ["ArmData", "Arms", "accuracy", "measure_heads"]
