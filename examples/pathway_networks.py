"""Pathway networks beside simple models on the same rows: proteomes of septic kidney injury, and two TCGA cohorts.

    python examples/pathway_networks.py --data.root ../shared/data --output docs/reproductions

Every run is a line of OUTPUT/pathway_networks.csv, written as it ends and not repeated; a stopped command goes on
where it was. The tables of a data set go into OUTPUT/pathway_networks.md, between two marks, and leave the text
around them alone.
"""

import argparse
import math
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

# Before numpy is imported, here and in the worker processes, which inherit it: two processes, one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from _kept_runs import KeptRuns, run_in_processes
from _marked_tables import write_block
from _pathway_report import published_table, report
from _pathway_runs import DATASETS, FLOORS, NETWORKS, RECIPES, Job, Run, execute
from _process import start_process
from axonlight import __version__

__all__ = ["Results", "main"]


class Results(KeptRuns[Job, Run]):
    """The finished runs."""

    kind = Run

    def key_of_job(self, job: Job) -> tuple:
        """Return what tells a job from others, with the versions of now."""
        epochs = 0
        if (recipe := RECIPES.get(job.model.partition(",")[0])) is not None:
            epochs = job.epochs or recipe.epochs
        place = (job.repeat, job.fold, job.seed)
        return (job.dataset, job.model, job.activation, *place, epochs, __version__, torch.__version__)

    def key_of_run(self, run: Run) -> tuple:
        """Return the key of the job that the run was, with the versions of then."""
        place = (run.repeat, run.fold, run.seed)
        return (run.dataset, run.model, run.activation, *place, run.epochs, run.axonlight, run.torch)

    def place(self, run: Run) -> tuple:
        """Return what runs are sorted by."""
        arms = [*NETWORKS, *((floor, "") for floor in FLOORS)]
        return (
            list(DATASETS).index(run.dataset),
            run.repeat,
            run.fold,
            run.seed,
            arms.index((run.model, run.activation)),
        )


def run_all(jobs: Sequence[Job], root: str | None, processes: int) -> Iterator[Run]:
    """Yield the runs of the jobs as they end."""
    return run_in_processes(partial(execute, root=root), jobs, processes)


def progress(run: Run, done: int, total: int, started: float) -> str:
    """Return one line about a finished run and the time that the others may take."""
    left = (time.perf_counter() - started) / done * (total - done)
    arm = f"{run.model} {run.activation}".strip()
    score = run.failure or f"AUROC {run.auroc:.3f}, accuracy {run.accuracy:.3f}"
    clock = "" if math.isnan(left) else f", {left / 60:.1f} min left"
    return f"{done}/{total} {run.dataset} {run.repeat}.{run.fold} {arm}: {score}{clock}"


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder of the data; default: AXONLIGHT_DATA")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and runs")
    parser.add_argument("--sets", nargs="+", choices=list(DATASETS), default=list(DATASETS))
    parser.add_argument("--processes", type=int, default=2, help="runs at the same time, one thread each")
    parser.add_argument("--quick", action="store_true", help="a trial: two epochs, one repeat, two folds, one seed")
    return parser.parse_args(arguments)


def jobs_of(dataset: str, quick: bool) -> list[Job]:
    """Return every run of a data set, or those of a trial."""
    if not quick:
        return DATASETS[dataset].jobs(dataset)
    return [job for job in DATASETS[dataset].jobs(dataset, epochs=2) if job.seed in (0, 10)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the tables."""
    given = read_arguments(arguments)
    start_process()
    given.output.mkdir(parents=True, exist_ok=True)
    results = Results(given.output / "pathway_networks.csv")
    jobs = {dataset: jobs_of(dataset, given.quick) for dataset in given.sets}
    missing = results.missing(job for each in jobs.values() for job in each)
    started = time.perf_counter()
    for done, run in enumerate(run_all(missing, given.root, given.processes), 1):
        results.add(run)
        print(progress(run, done, len(missing), started), flush=True)
    results.sort()
    command = shlex.join(
        ["python", "examples/pathway_networks.py", *(sys.argv[1:] if arguments is None else arguments)]
    )
    page = given.output / "pathway_networks.md"
    for dataset in given.sets:
        tables = report(dataset, results.of(jobs[dataset]), given.root, command)
        label = f"{dataset}{', trial' if given.quick else ''}"
        write_block(page, label, tables, "pathway_networks")
    everything = {dataset: results.of(jobs_of(dataset, given.quick)) for dataset in DATASETS}
    if everything["proteomics"]:
        label = f"published figures{', trial' if given.quick else ''}"
        write_block(page, label, published_table(everything), "pathway_networks")
    print(f"{len(missing)} runs in {(time.perf_counter() - started) / 60:.1f} min; tables: {page}")


if __name__ == "__main__":
    main()
