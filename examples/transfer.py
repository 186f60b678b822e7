"""Does an activation found on one data set serve another? Five sets, each searched, each formula trained on all.

    python examples/transfer.py --data.root ../shared/data --output docs/reproductions

The folder of --data.root holds tabular/ and proteomics/. Every set is divided into two halves: the search sees one, the
matrix is measured by cross-validation within the other, as a study. What is finished is kept in --runs, and a stopped
command goes on where it was. The tables go into OUTPUT/transfer.md, between two marks; the heat map, verdicts and runs
of every set into OUTPUT/transfer.
"""

import argparse
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from _marked_tables import write_block
from _process import start_process
from _transfer_figure import draw_matrix
from _transfer_report import Matrix, tables
from _transfer_search import found_on, search_settings
from _transfer_sets import SETS, base_of, write_halves
from axonlight.comparison import Study, StudyFields
from axonlight.comparison.analysis import ReportData
from axonlight.comparison.report import write_report

__all__ = ["KNOWN", "arms_of", "comparisons_of", "fields_of", "main"]

KNOWN = {"relu": "relu", "gelu": "gelu", "silu": "silu", "ash": "ash(z=0.0, alpha=1.0)"}
KEPT = ("verdicts.json", "runs.parquet")
ROPE = 0.01


def arms_of(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the spec of every arm: what was found on each set, known activations, random formulas."""
    first = next(iter(found.values()))
    random = {f"random_{place}": one["spec"] for place, one in enumerate(first["random"], 1)}
    return {**{f"from_{name}": one["spec"] for name, one in found.items()}, **KNOWN, **random}


def comparisons_of(name: str, arms: Sequence[str]) -> list[Any]:
    """Return what is asked on a set: its specialist against all others, and what was found elsewhere against ReLU."""
    own = f"from_{name}"
    elsewhere = [arm for arm in arms if arm.startswith("from_") and arm != own]
    random = [arm for arm in arms if arm.startswith("random_")]
    means = {"all found elsewhere": elsewhere, "all random formulas": random}
    return [
        *([own, arm] for arm in arms if arm != own),
        *(
            {"name": f"{own} against {what}", "weights": {own: 1.0, **dict.fromkeys(others, -1.0 / len(others))}}
            for what, others in means.items()
            if others
        ),
        *([arm, "relu"] for arm in elsewhere),
    ]


def fields_of(name: str, arms: Mapping[str, str], options: argparse.Namespace, halves: Path) -> StudyFields:
    """Return the study of a column of the matrix."""
    metric = SETS[name].metric
    return StudyFields(
        name=f"transfer_{name}",
        question=f"Which of the activations found on {len(SETS)} sets serves {SETS[name].title} best?",
        base=base_of(name, "evaluation", halves, options.epochs),
        arms={arm: {"overrides": {"model.network.activation": spec}} for arm, spec in arms.items()},
        reference=f"from_{name}",
        comparisons=comparisons_of(name, list(arms)),
        floors=["ridge"],
        folds=2 if options.epochs else 5,
        repeats=1 if options.epochs else 2,
        metrics=[metric],
        rope={metric: ROPE},
        workers=options.workers,
    )


def run_column(study: Study, command: str) -> ReportData:
    """Execute what is missing of a column and judge it."""
    study.run(progress=False).close()
    data = study.analyze(command=command)
    write_report(data, study.output)
    return data


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder that holds tabular/ and proteomics/")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and verdicts")
    parser.add_argument("--runs", type=Path, default=Path("runs/transfer"), help="folder of rows, ledgers and reports")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--nodes", type=int, default=6, help="largest formula of the space that is searched")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: this one")
    parser.add_argument("--epochs", type=int, help="epochs of a trial, which has two folds and a small search")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, compare and write the page."""
    options = read_arguments(arguments)
    start_process()
    began = time.perf_counter()
    command = shlex.join(["python", "examples/transfer.py", *(sys.argv[1:] if arguments is None else arguments)])
    halves = {name: write_halves(name, options.root, options.runs / "rows") for name in options.sets}
    found = {}
    for name in options.sets:
        settings = search_settings(name, halves[name], options.nodes, options.epochs)
        found[name] = found_on(name, settings, options.runs / "searches" / name, options.workers)
        print(f"{name}: found {found[name]['formula']} after {time.perf_counter() - began:.0f} s", flush=True)
    arms = arms_of(found)
    columns = {}
    for name in options.sets:
        fields = fields_of(name, arms, options, halves[name])
        columns[name] = run_column(Study(fields, output=options.runs / "studies" / name), command)
        print(f"{name}: compared after {time.perf_counter() - began:.0f} s", flush=True)
    write_page(Matrix(found, columns), options, command)


def write_page(matrix: Matrix, options: argparse.Namespace, command: str) -> None:
    """Write tables, figure and what they were made of; a trial writes its tables alone."""
    options.output.mkdir(parents=True, exist_ok=True)
    page = options.output / "transfer.md"
    trial = options.epochs is not None
    if not trial:
        for name in matrix.columns:
            kept = options.output / "transfer" / name
            kept.mkdir(parents=True, exist_ok=True)
            for file in KEPT:
                shutil.copy(options.runs / "studies" / name / file, kept / file)
            # What a finished search is recognised by names folders of this machine.
            found = {key: value for key, value in matrix.found[name].items() if key != "asked"}
            (kept / "found.json").write_text(json.dumps(found, indent=1) + "\n")
    figure = (options.runs if trial else options.output / "transfer") / "matrix.png"
    draw_matrix(matrix, figure)
    write_block(page, "matrix, trial" if trial else "matrix", tables(matrix, command), "transfer")
    print(f"tables: {page}; figure: {figure}", flush=True)


if __name__ == "__main__":
    main()
