"""What stands behind `ActivationRecorder`: hooks that read, statistics of what they read, files that keep them."""

from .probe import Gate, Probe
from .reading import read_activations
from .summary import STATISTICS, Summary
from .writing import Store, open_store

__all__ = ["STATISTICS", "Gate", "Probe", "Store", "Summary", "open_store", "read_activations"]
