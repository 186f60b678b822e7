"""Job arrays of Slurm, submitted by submitit."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import InputError
from .base import RETRIES, Group, Outcome, Work, attempt

__all__ = ["SlurmExecutor"]

# Clusters refuse larger arrays unless their MaxArraySize says otherwise.
_LARGEST_ARRAY = 1000


@dataclass(frozen=True)
class SlurmExecutor:
    """Run groups as elements of job arrays; the process that drives the study waits for them.

    Args:
        workers: Most elements that run at a time.
        folder: Where scripts, logs and results of the jobs go; all nodes must see it.
        options: Parameters of submitit's executor, such as slurm_partition or timeout_min, and `cluster`: "slurm", or
            "local" for processes of this machine.

    Raises:
        InputError: If submitit is not installed, or refuses a parameter.

    Example:
        >>> SlurmExecutor(workers=50, folder=Path("jobs"), options={"slurm_partition": "cpu"}).workers
        50
    """

    workers: int
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds_between_looks: float = 5.0

    def check(self) -> None:
        """Refuse a missing library, a machine without Slurm, and unknown parameters; see `Executor`."""
        with tempfile.TemporaryDirectory() as folder:  # submitit makes the folder that it is given
            replace(self, folder=Path(folder))._executor()

    def run(
        self, groups: Sequence[Group], work: Work, started: Callable[[Sequence[str], str], None]
    ) -> Iterator[Outcome]:
        """Execute the groups; see `Executor`."""
        executor, at_once = self._executor()
        waiting = [(group, 0) for group in reversed(groups)]
        jobs: dict[Any, tuple[Group, int]] = {}
        try:
            while waiting or jobs:
                free = at_once - len(jobs)
                if waiting and free > 0:
                    batch = [waiting.pop() for _ in range(min(free, len(waiting)))]
                    jobs.update(
                        zip(_submit(executor, work, [group for group, _ in batch], started), batch, strict=True)
                    )
                done = [job for job in jobs if job.done()]
                for job in done:
                    group, failures = jobs.pop(job)
                    outcome = _outcome(job, group)
                    if outcome.error and failures < RETRIES:
                        waiting.append((group, failures + 1))
                    else:
                        yield outcome
                if not done:
                    time.sleep(self.seconds_between_looks)
        finally:
            for job in jobs:
                job.cancel()

    def _executor(self) -> tuple[Any, int]:
        """Return submitit's executor, and how many jobs may be there at a time."""
        submitit = _import_submitit()
        options = dict(self.options)
        cluster = options.pop("cluster", "slurm")
        try:
            executor = submitit.AutoExecutor(folder=self.folder, cluster=cluster)
            if cluster == "slurm":
                options = {"slurm_array_parallelism": max(self.workers, 1), "cpus_per_task": 1, **options}
            executor.update_parameters(**{"timeout_min": 240, **options})
        except (NameError, TypeError, ValueError, RuntimeError, FileNotFoundError) as error:
            reason = " ".join(str(error).split()).partition(" As a reminder")[0]  # submitit lists all that it knows
            raise InputError(f"slurm cannot be used: {reason}") from error
        # Slurm itself holds back what exceeds the parallelism of an array; processes of this machine start at once.
        return executor, _LARGEST_ARRAY if cluster == "slurm" else max(self.workers, 1)


def _submit(
    executor: Any, work: Work, groups: Sequence[Group], started: Callable[[Sequence[str], str], None]
) -> list[Any]:
    jobs = executor.map_array(attempt, [work] * len(groups), groups)
    for job, group in zip(jobs, groups, strict=True):
        started(group.keys, f"job {job.job_id}")
    return jobs


def _outcome(job: Any, group: Group) -> Outcome:
    """Return what a job left; `attempt` turns errors of runs into outcomes, so an exception is one of the job."""
    try:
        return job.result()
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        return Outcome(group.keys, error=f"job {job.job_id} ended {RETRIES + 1} times without a result: {reason}")


def _import_submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise InputError(
            "executor is 'slurm', which needs submitit; run: pip install 'axonlight[slurm]', or take executor local"
        ) from error
    return submitit
