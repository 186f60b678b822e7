"""The runs of one arm of a study in one process, beside `axonlight fit` as a process for each.

    python benchmarks/replicas_fit.py --data FOLDER [--runs 100] [--alone 3] [--threads 2] [--rounds 1] [--quick]

FOLDER holds the septic kidney proteomes. The runs are 100 draws of DegreePreserving at the first split of
studies/proteomics.yaml, 100 epochs each: 449-446-285-116-28-1, batch norm, dropout, batch 64.

    together        a fresh Python process that executes one batch of all runs, tests included
    alone           fresh processes of `axonlight fit` with the same config (and the real hierarchy: a config names no
                    draw), no callback, logger, checkpoint or progress bar, no test; a few, counted for all

All are started in turns. Per kind: wall-clock time of the process from its start to its end, the processor's time,
and where the wall-clock time goes: imports, training (`Trainer.fit`), test, and the rest: config, data, draws,
networks. "times as fast" compares with all runs alone; a busy machine moves times more than ratios.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import wraps
from pathlib import Path
from typing import Any

_QUIET = {
    "logger": False,
    "callbacks": [],
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
PARTS = ("imports", "training", "test", "rest")


def child(kind: str, path: Path, threads: int) -> dict[str, Any]:
    """Do what one process does, and return where its time went."""
    started = time.perf_counter()
    import torch
    from axonlight.cli import main as axonlight
    from axonlight.comparison.runs import execute_batch
    from lightning.pytorch import Trainer

    torch.set_num_threads(threads)
    parts = {"imports": time.perf_counter() - started, "training": 0.0, "test": 0.0}
    for name, part in (("fit", "training"), ("test", "test")):
        setattr(Trainer, name, timed(getattr(Trainer, name), parts, part))
    if kind == "together":
        results = execute_batch(json.loads(path.read_text()))
        wrong = [result.error or "not side by side" for result in results if "side_by_side" not in result.details]
        if wrong:
            raise SystemExit(wrong[0])
    elif axonlight(["fit", "--config", str(path)]):
        raise SystemExit("axonlight fit has failed")
    return parts


def timed(method: Any, parts: dict[str, float], part: str) -> Any:
    @wraps(method)  # the command line reads its signature
    def call(*args: Any, **keywords: Any) -> Any:
        started = time.perf_counter()
        try:
            return method(*args, **keywords)
        finally:
            parts[part] += time.perf_counter() - started

    return call


def measure(kind: str, path: Path, threads: int, folder: str) -> dict[str, float]:
    """Run one process; return its times in seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--child", kind, "--path", str(path), "--threads", str(threads)]
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)  # noqa: S603
    wall, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise SystemExit(done.stderr)
    parts = json.loads(done.stdout.splitlines()[-1])
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "processor": spent, **parts, "rest": wall - sum(parts.values())}


def recipes_of(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the recipes of the runs: those of one arm at one split."""
    from axonlight.comparison import Study

    changes = {
        "overrides.data.root": str(options.data),
        "overrides.data.batch_size": options.batch,
        "overrides.trainer.max_epochs": options.epochs,
    }
    study = Study.from_yaml("studies/proteomics.yaml", list(changes.items()))
    runs = [run for run in study.plan.runs if run.arm == "degree_preserving"]
    split = [run for run in runs if (run.repeat, run.fold) == (runs[0].repeat, runs[0].fold)]
    return [dict(run.recipe) for run in split[: options.runs]]


def compare(options: argparse.Namespace) -> None:
    """Measure both kinds in turns and print the fastest of each."""
    recipes = recipes_of(options)
    config = json.loads(json.dumps(recipes[0]["config"]))
    config["trainer"] = {**config["trainer"], **_QUIET}
    with tempfile.TemporaryDirectory() as folder:
        paths = {"together": Path(folder) / "recipes.json", "alone": Path(folder) / "config.yaml"}
        paths["together"].write_text(json.dumps(recipes))
        paths["alone"].write_text(json.dumps(config))  # JSON is YAML
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in paths}
        for _ in range(options.rounds):
            found["together"].append(measure("together", paths["together"], options.threads, folder))
            for _ in range(options.alone):
                found["alone"].append(measure("alone", paths["alone"], options.threads, folder))
    together, alone = (min(found[kind], key=lambda times: times["wall"]) for kind in paths)
    report(together, alone, len(recipes), options)


def report(together: dict[str, float], alone: dict[str, float], count: int, options: argparse.Namespace) -> None:
    print(f"{count} runs of {options.epochs} epochs, batch {options.batch}, {options.threads} threads; seconds")
    print(f"  {'':<22}{'wall':>9}{'processor':>11}" + "".join(f"{part:>10}" for part in PARTS))
    for name, times, factor in (
        ("together, all", together, 1),
        ("alone, one", alone, 1),
        (f"alone, times {count}", alone, count),
    ):
        cells = "".join(f"{factor * times[part]:>10.2f}" for part in PARTS)
        print(f"  {name:<22}{factor * times['wall']:>9.2f}{factor * times['processor']:>11.2f}{cells}")
    ratios = {part: count * alone[part] / together[part] for part in ("wall", "processor", "training")}
    print("  times as fast: " + ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the proteomes")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch", type=int, default=64, help="rows of a batch; the study's own is 32")
    parser.add_argument("--alone", type=int, default=3, help="processes of axonlight fit per round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="20 runs of 10 epochs, one process alone")
    parser.add_argument("--child", choices=("together", "alone"), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child, options.path, options.threads)))
        return
    if options.data is None:
        print("replicas_fit: nothing is measured without --data, the folder of the proteomes")
        return
    if options.quick:
        options.runs, options.epochs, options.alone = 20, 10, 1
    compare(options)


if __name__ == "__main__":
    main()
