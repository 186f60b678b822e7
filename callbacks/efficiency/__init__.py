"""What a network costs, and what its score is worth beside that."""

from .comparing import EqualScore, efficiency_score, parameters_at_equal_score, sweep_sizes
from .measuring import Latency, NetworkCost, measure_network
from .report import Efficiency
from .rows import Floor, read_runs

__all__ = [
    "Efficiency",
    "EqualScore",
    "Floor",
    "Latency",
    "NetworkCost",
    "efficiency_score",
    "measure_network",
    "parameters_at_equal_score",
    "read_runs",
    "sweep_sizes",
]
