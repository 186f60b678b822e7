"""Which part of an induction head does learning wait for? Clamp each of them through training (arXiv 2404.07129).

    python examples/induction_heads.py --output docs/reproductions

Eight arms of eight seeds, more labels and more classes, trained first layers behind which a new one learns, progress
measures: every part is one vectorised run. Parts are kept in --runs while they train, and a stopped command goes on
where it was. Written: OUTPUT/induction_heads.png and .html, a line per run in OUTPUT/induction_heads.csv, all curves
and measures in OUTPUT/induction_heads/, and the tables in OUTPUT/induction_heads.md, between marks.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
import torch
from _induction_figure import Found, draw_all
from _induction_measures import head_table, progress_table, run_table, strength_table
from _induction_page import page_of
from _induction_parts import BASE, BATCH, Part, grafts_of, parts_of, run_part, snapshots
from _induction_report import order_line, tables_of
from _induction_statistics import PLATEAU_ABOVE
from _marked_tables import table, write_block
from _process import start_process
from axonlight import __version__

__all__ = ["Sizes", "conditions", "main"]

NAME = "induction_heads"
DONORS = (0, 1, 2)
MEASURES = {"heads": head_table, "strengths": strength_table, "progress": progress_table}


class Sizes:
    """How much is trained.

    Args:
        quick: Whether it is a trial, which shows that everything works and nothing else.
    """

    def __init__(self, quick: bool) -> None:
        self.seeds, self.updates = (2, 96) if quick else (8, 8_192)
        self.trend_seeds, self.trend_updates = (2, 64) if quick else (5, 16_384)
        self.graft_seeds, self.graft_updates = (2, 64) if quick else (5, 2_048)
        self.options: dict[str, Any] = {"compiled": False, "data": {"evaluation_sequences": 40}} if quick else {}

    def parts(self) -> list[Part]:
        """Return the parts that depend on no other."""
        return parts_of(self.seeds, self.updates, self.trend_seeds, self.trend_updates, **self.options)

    def grafts(self, main: Part, runs: Path) -> Part:
        """Return the part that learns behind the first layers of the arms without a clamp."""
        donors = {
            seed: list(snapshots(main, runs, "all heads", seed).values())[-1] for seed in DONORS if seed in main.seeds
        }
        return grafts_of(donors, range(self.graft_seeds), self.graft_updates, **self.options)


def conditions(sizes: Sizes) -> list[str]:
    """Return what was decided before anything was trained."""
    sequences, trends = sizes.updates * BATCH, sizes.trend_updates * BATCH
    return [
        "Data: drawn features, one draw for all seeds; a seed decides initialisation and order of the sequences. Adam, "
        f"rate 1e-4 (published: 1e-5, features of Omniglot), batches of {BATCH}.",
        "Arms: of the second layer only head 1.3 is active, the values of the other heads are 0, in all arms but all "
        "heads. Clamps act in training and in evaluation, from the first sequence to the last.",
        f"Budget: {sequences:,} sequences, {sizes.seeds} seeds; a run ends earlier when its loss was below 0.02 in 5 "
        "evaluations in a row, and keeps its last value in the curves.",
        "Learned: the first evaluation (every 2,048 sequences, on 1,000 sequences of the training set) with a loss "
        "below 0.4 ln 2 = 0.277. Several arms learn within a few evaluations, so times that are compared are where the "
        "line between two evaluations crosses 0.277. A run that never learns counts with all its sequences: a bound.",
        "Times: geometric means with 95 % t intervals of their logarithms over seeds; pairs of arms are paired by "
        "seed, p values adjusted over all pairs (Holm).",
        "Plateau: the part of the time until it has learned that the loss spends within 10 % of ln 2 (an exponential "
        "fall from ln 5 spends 11 %). An arm keeps the plateau if the 95 % interval over seeds lies above "
        f"{100 * PLATEAU_ABOVE:.0f} %, loses it if it lies below, and is undecided otherwise.",
        f"Trends: {sizes.trend_seeds} seeds, at most {trends:,} sequences; a run ends when its loss was below 0.2 in 2 "
        "evaluations in a row.",
        f"Grafts: what leaves the first layer comes from the trained network of a seed ({len(DONORS)} donors), frozen; "
        f"{sizes.graft_seeds} seeds learn behind each, all heads active, at most {sizes.graft_updates * BATCH:,} "
        "sequences.",
    ]


def run_all(parts: Sequence[Part], after: Callable[[], Part], runs: Path, workers: int) -> dict[str, pd.DataFrame]:
    """Train and measure; return the evaluations of every part, and of the one that needs the arms, last.

    Args:
        parts: Parts that depend on no other.
        after: Returns the part that needs the first one.
        runs: Folder of parts.
        workers: Processes.
    """
    main = next(part for part in parts if part.name == BASE)
    if workers == 1:
        tables = {part.name: run_part(part, runs) for part in parts}
        measure(main, runs)
        return tables | {"grafts": run_part(after(), runs)}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=start_process) as pool:
        futures = {part.name: pool.submit(run_part, part, runs) for part in parts}
        futures[BASE].result()
        futures["grafts"] = pool.submit(run_part, after(), runs)
        pool.submit(measure, main, runs).result()
        return {name: future.result() for name, future in futures.items()}


def measure(main: Part, runs: Path) -> None:
    """Write down what is measured of the networks that were kept, where it is not yet."""
    for name, make in MEASURES.items():
        path = main.folder(runs) / f"{name}.csv"
        if not path.exists():
            make(main, runs).to_csv(path, index=False)


def collect(tables: dict[str, pd.DataFrame], main: Part, runs: Path) -> Found:
    """Return all that is shown."""
    folder = main.folder(runs)
    curves = tables[BASE]
    grafts = tables["grafts"]
    return Found(
        curves[curves["evaluator"] == "train"],
        pd.concat([run_table(own, name) for name, own in tables.items()], ignore_index=True),
        *(pd.read_csv(folder / f"{name}.csv") for name in MEASURES),
        grafts[grafts["evaluator"] == "train"],
    )


def write(found: Found, tables: dict[str, pd.DataFrame], output: Path, stem: str, said: Sequence[str]) -> None:
    """Write figure, page, runs and curves, and the tables of the report."""
    draw_all(found).savefig(output / f"{stem}.png", dpi=110)
    (output / f"{stem}.html").write_text(page_of(found, said), encoding="utf-8")
    versions = {"axonlight": __version__, "torch": torch.__version__}
    found.runs.round(5).assign(**versions).to_csv(output / f"{stem}.csv", index=False)
    (output / stem).mkdir(exist_ok=True)
    for name in MEASURES:
        getattr(found, name).to_csv(output / stem / f"{name}.csv", index=False)
    curves = pd.concat([own.assign(condition=name) for name, own in tables.items()])
    curves.to_csv(output / stem / "curves.csv", index=False)
    report = output / f"{stem}.md"
    write_block(report, "decided before", "\n".join(f"- {line}" for line in said), NAME)
    for title, (head, rows) in tables_of(found).items():
        write_block(report, title.lower(), table(head, rows), NAME)


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of figure and tables")
    parser.add_argument("--runs", type=Path, default=Path("runs/induction_heads"), help="folder of what is trained")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--quick", action="store_true", help=f"a trial in minutes, into OUTPUT/{NAME}_trial.*")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, measure, and write."""
    given = read_arguments(arguments)
    start_process()
    runs = given.runs.resolve()
    given.output.mkdir(parents=True, exist_ok=True)
    sizes, stem = Sizes(given.quick), f"{NAME}_trial" if given.quick else NAME
    parts = sizes.parts()
    tables = run_all(parts, lambda: sizes.grafts(parts[0], runs), runs, given.workers)
    found = collect(tables, parts[0], runs)
    command = shlex.join([f"python examples/{NAME}.py", *(sys.argv[1:] if arguments is None else arguments)])
    write(found, tables, given.output, stem, [*conditions(sizes), f"Command: {command}".replace("'", "")])
    print(f"order: {order_line(found)}\nfigure: {given.output / stem}.png, page: {given.output / stem}.html")


if __name__ == "__main__":
    main()
