"""ProtoPathway, its peers and ridge Cox floors on the published folds of two cancers: who foretells death, and by what?

    python examples/protopathway.py --data.root ../shared/data --output docs/reproductions

The folder of --data.root holds tcga/. Every run is a line of OUTPUT/protopathway.csv, written as it ends and not
repeated; a stopped command goes on where it was. Slides are simulated into --runs. The tables go into
OUTPUT/protopathway.md, between marks, and leave the text around them alone.
"""

import argparse
import math
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

# Before numpy is imported, here and in the worker processes, which inherit it: two processes, one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from _kept_runs import KeptRuns, run_in_processes
from _marked_tables import write_block
from _process import start_process
from _protopathway_arms import ARMS, FLOORS
from _protopathway_data import SETTINGS, Setting
from _protopathway_report import blocks
from _protopathway_runs import Job, Run, all_jobs, execute
from axonlight import __version__

__all__ = ["Results", "jobs_of", "main"]

NAMES = tuple("-".join(setting) for setting in SETTINGS)


class Results(KeptRuns[Job, Run]):
    """The finished runs."""

    kind = Run

    def key_of_job(self, job: Job) -> tuple:
        """Return what tells a job from others, with the versions of now."""
        return *_fields_of_job(job), __version__, str(torch.__version__)

    def key_of_run(self, run: Run) -> tuple:
        """Return the key of the job that the run was, with the versions of then."""
        return *_fields_of_job(run), run.axonlight, run.torch

    def place(self, run: Run) -> tuple:
        """Return what runs are sorted by."""
        return self.key_of_run(run)


def _fields_of_job(job: Job) -> tuple:
    return tuple(getattr(job, field.name) for field in fields(Job))


def run_all(jobs: Sequence[Job], root: str | None, runs: Path, processes: int) -> Iterator[Run]:
    """Yield the runs of the jobs as they end."""
    return run_in_processes(partial(execute, root=root, runs=str(runs)), jobs, processes)


def progress(run: Run, done: int, total: int, started: float) -> str:
    """Return one line about a finished run and the time that the others may take."""
    left = (time.perf_counter() - started) / done * (total - done)
    score = run.failure or ("undefined" if math.isnan(run.c_index) else f"C-index {run.c_index:.3f}")
    name = f"{run.cohort} {run.endpoint} fold {run.fold}, {run.inputs}, {run.arm}, {run.labels} labels"
    return f"{done}/{total} {name}: {score}, {run.seconds:.0f} s; {left / 60:.0f} min left"


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder that holds tcga/; default: AXONLIGHT_DATA")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and runs")
    parser.add_argument("--runs", type=Path, default=Path("runs/protopathway"), help="folder of simulated slides")
    parser.add_argument("--sets", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM")
    parser.add_argument("--floors-only", action="store_true", help="the floors alone: a minute")
    parser.add_argument("--processes", type=int, default=2, help="runs at the same time, one thread each")
    parser.add_argument("--quick", action="store_true", help="a trial: two folds, one seed, two batches, two epochs")
    return parser.parse_args(arguments)


def jobs_of(given: argparse.Namespace) -> list[Job]:
    """Return the runs that the command line asks for: floors always, networks as chosen."""
    settings: tuple[Setting, ...] = tuple(setting for setting in SETTINGS if "-".join(setting) in given.sets)
    jobs = all_jobs(settings, folds=2, seeds=1) if given.quick else all_jobs(settings)
    chosen = [] if given.floors_only else given.arms
    jobs = [job for job in jobs if job.arm in FLOORS[job.inputs] or job.arm in chosen]
    if not given.quick:
        return jobs
    return [replace(job, epochs=min(job.epochs, 2), batches=2) if job.epochs else job for job in jobs]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the tables."""
    given = read_arguments(arguments)
    start_process()
    given.output.mkdir(parents=True, exist_ok=True)
    results = Results(given.output / ("protopathway_trial.csv" if given.quick else "protopathway.csv"))
    jobs = jobs_of(given)
    missing = results.missing(jobs)
    started = time.perf_counter()
    for done, run in enumerate(run_all(missing, given.root, given.runs, given.processes), 1):
        results.add(run)
        print(progress(run, done, len(missing), started), flush=True)
    results.sort()
    command = shlex.join(["python", "examples/protopathway.py", *(sys.argv[1:] if arguments is None else arguments)])
    page = given.output / "protopathway.md"
    for label, text in blocks(results.of(jobs), command).items():
        write_block(page, f"{label}{', trial' if given.quick else ''}", text, "protopathway")
    print(f"{len(missing)} runs in {(time.perf_counter() - started) / 60:.1f} min; tables: {page}")


if __name__ == "__main__":
    main()
