"""From the name of an executor to one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from .base import Executor
from .local import LocalExecutor
from .ray_cluster import RayExecutor
from .slurm_array import SlurmExecutor

__all__ = ["choose_executor"]


def choose_executor(
    name: str, workers: int, *, address: str = "auto", slurm: Mapping[str, Any] | None = None, folder: Path
) -> Executor:
    """Return the executor of that name.

    Args:
        name: "local", "ray" or "slurm".
        workers: How many groups of runs are executed at a time; 0, with "local", executes them in this process.
        address: Address of the Ray cluster.
        slurm: Parameters of submitit's executor.
        folder: Folder of the study.

    Raises:
        InputError: If there is none of that name.

    Example:
        >>> choose_executor("local", 2, folder=Path("runs"))
        LocalExecutor(workers=2, keeps_workers=False)
    """
    if name == "local":
        return LocalExecutor(workers)
    if name == "ray":
        return RayExecutor(workers, address)
    if name == "slurm":
        return SlurmExecutor(workers, folder / "slurm", slurm or {})
    raise InputError(f"executor is '{name}'; it must be local, ray or slurm")
