"""Where runs are executed: local processes, a Ray cluster, Slurm arrays; the same results either way."""

from ... import __version__ as _version  # noqa: F401  (refuses `import executors` from the checkout)
from .base import Executor, Group, Outcome, attempt
from .choose import choose_executor
from .local import LocalExecutor
from .ray_cluster import RayExecutor
from .slurm_array import SlurmExecutor

__all__ = [
    "Executor",
    "Group",
    "LocalExecutor",
    "Outcome",
    "RayExecutor",
    "SlurmExecutor",
    "attempt",
    "choose_executor",
]
