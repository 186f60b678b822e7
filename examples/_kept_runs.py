"""Runs that are kept as they end: a line of a CSV file each, and the processes that execute them."""

import csv
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from _process import start_process

__all__ = ["KeptRuns", "run_in_processes"]

Job = TypeVar("Job")
Run = TypeVar("Run")


class KeptRuns(Generic[Job, Run]):
    """The finished runs: a CSV file to which each run is appended as it ends.

    A subclass says of what dataclass they are, by what a job and its run know each other, and their order. The last
    column is "failure".

    Args:
        path: The file.
    """

    kind: ClassVar[type]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: list[Run] = self._read() if path.exists() else []

    def key_of_job(self, job: Job) -> tuple:
        """Return what tells a job from others, with the versions of now."""
        raise NotImplementedError

    def key_of_run(self, run: Run) -> tuple:
        """Return the key of the job that the run was, with the versions of then."""
        raise NotImplementedError

    def place(self, run: Run) -> tuple:
        """Return what runs are sorted by."""
        raise NotImplementedError

    def of(self, jobs: Iterable[Job]) -> list[Run]:
        """Return the runs of these jobs that are there, in the order of the jobs."""
        found = {self.key_of_run(run): run for run in self.runs}
        return [found[key] for key in map(self.key_of_job, jobs) if key in found]

    def missing(self, jobs: Iterable[Job]) -> list[Job]:
        """Return the jobs that this version of axonlight and torch has not run."""
        done = {self.key_of_run(run) for run in self.runs}
        return [job for job in jobs if self.key_of_job(job) not in done]

    def add(self, run: Run) -> None:
        """Keep a run, here and in the file."""
        self._write(self.path, [run], "a" if self.path.exists() else "w")
        self.runs.append(run)

    def sort(self) -> None:
        """Rewrite the file in an order that does not depend on which run ended first."""
        self.runs.sort(key=self.place)
        draft = self.path.with_suffix(".csv.part")
        self._write(draft, self.runs, "w")
        draft.replace(self.path)

    def _write(self, path: Path, runs: Sequence[Any], mode: str) -> None:
        with path.open(mode, newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(self.kind)], lineterminator="\n")
            if mode == "w":
                writer.writeheader()
            writer.writerows(asdict(run) for run in runs)

    def _read(self) -> list[Run]:
        kinds: dict[str, Any] = {field.name: field.type for field in fields(self.kind)}
        with self.path.open(newline="") as file:
            # A command killed while it wrote leaves half a line: its run is run again.
            rows = [row for row in csv.DictReader(file) if row["failure"] is not None]
        return [self.kind(**{name: kinds[name](text) for name, text in row.items()}) for row in rows]


def run_in_processes(execute: Callable[[Job], Run], jobs: Sequence[Job], processes: int) -> Iterator[Run]:
    """Yield the runs of the jobs as they end; one process is this one."""
    if processes == 1:
        yield from map(execute, jobs)
        return
    # spawn: a forked process would inherit torch's threads in an unknown state
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, start_process) as pool:
        waiting = [pool.submit(execute, job) for job in jobs]
        try:
            for finished in as_completed(waiting):
                yield finished.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
