"""What every process of the examples begins with."""

import logging
import warnings

import torch

__all__ = ["start_process"]


def start_process() -> None:
    """Make a process quiet and single-threaded: these networks are too small to share; sums then have one order."""
    torch.set_num_threads(1)
    for name in ("lightning.pytorch", "lightning.fabric", "axonlight"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # In-memory loaders need no worker processes, and there are no validation rows on purpose.
    warnings.filterwarnings("ignore", module="lightning")
    # Undefined metrics are NaN here; torchmetrics says so once more.
    warnings.filterwarnings("ignore", module="torchmetrics")
