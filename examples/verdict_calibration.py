"""How often a verdict is wrong: repeated cross-validation of arms that do not differ, or differ by a known amount.

    python examples/verdict_calibration.py --output docs/reproductions

Simulates, counts, and writes OUTPUT/verdict_calibration.csv (false claims per learner, rows and design),
OUTPUT/verdict_power.csv (verdicts per true difference), OUTPUT/verdict_calibration.svg and the tables of
OUTPUT/verdict_calibration.md, between two marks; the text around them stays.
"""

import argparse
import csv
import os
import shlex
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Before numpy is imported: products of many small matrices are not faster on several threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _marked_tables import write_block
from _overlapping_folds import LEARNERS, Design, Setting, simulate_differences
from _verdict_report import (
    conditions,
    draw_figure,
    equivalence_table,
    errors_table,
    one_draw_table,
    power_table,
    tests_table,
)
from _verdict_shares import Errors, count_errors, verdict_shares

__all__ = ["main"]

DESIGNS = (Design(5, 2), Design(2, 5), Design(5, 5), Design(5, 10), Design(10, 10))
ROWS = (60, 200)
POWER_ROWS = (200, 2000)
POWER_DESIGNS = (Design(5, 2), Design(5, 5), Design(10, 10))
ROPE = 0.02
SHIFTS = tuple(float(shift) for shift in np.round(np.arange(0, 0.1201, 0.004), 3))


def false_claims(datasets: int, seed: int) -> dict[Setting, Errors]:
    """Return the false claims of every learner, number of rows and design."""
    found = {}
    for learner in LEARNERS:
        for rows in ROWS:
            for design in DESIGNS:
                setting = Setting(learner, rows, design)
                found[setting] = count_errors(simulate_differences(setting, datasets, seed), design.test_fraction)
                say(setting, found[setting])
    return found


def say(setting: Setting, errors: Errors) -> None:
    """Print a line, so that somebody who waits sees progress."""
    counts = (errors.false, errors.with_n_1, errors.uncorrected)
    shares = ", ".join(f"{100 * count / errors.datasets:.1f} %" for count in counts)
    print(f"{setting.learner}, {setting.rows} rows, {setting.design}: {shares} (verdict, n - 1, uncorrected)")


def power_curves(datasets: int, seed: int) -> dict[Setting, list[dict[str, float]]]:
    """Return the share of every verdict for every true difference in AUROC, for ridge regression."""
    found = {}
    for rows in POWER_ROWS:
        for design in POWER_DESIGNS:
            setting = Setting("ridge", rows, design)
            differences = simulate_differences(setting, datasets, seed)
            found[setting] = [
                {"difference": shift, **verdict_shares(differences, design.test_fraction, ROPE, shift)}
                for shift in SHIFTS
            ]
    return found


def _place(setting: Setting) -> dict[str, Any]:
    return {
        "learner": setting.learner,
        "rows": setting.rows,
        "folds": setting.design.folds,
        "repeats": setting.design.repeats,
    }


def _write_csv(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    rows = [
        {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in line.items()} for line in lines
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of the report")
    parser.add_argument("--datasets", type=int, default=4000, help="simulated data sets per setting")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    errors = false_claims(options.datasets, options.seed)
    power = power_curves(options.datasets, options.seed)
    minutes = (time.process_time() - start) / 60

    name = "verdict_calibration"
    _write_csv(options.output / f"{name}.csv", ({**_place(s), **asdict(found)} for s, found in errors.items()))
    lines = ({**_place(s), "rope": ROPE, **line} for s, curve in power.items() for line in curve)
    _write_csv(options.output / "verdict_power.csv", lines)
    draw_figure(errors, power, ROPE, options.output / f"{name}.svg")
    given = shlex.join(sys.argv[1:] if arguments is None else arguments)
    parts = [
        f"```\npython examples/{name}.py {given}".rstrip() + "\n```",
        conditions(options.datasets, minutes),
        "False verdicts (better or worse) between arms that do not differ, in percent, with 95 % binomial interval;\n"
        "in round brackets what n - 1 degrees of freedom would give, where there are more than 11 splits:",
        errors_table(errors),
        "The same data sets, tests that ignore the overlap of training sets, and the verdict beside them:",
        tests_table(errors),
        "Two draws of one null model, each drawn once and trained on all splits, called different, in percent:",
        one_draw_table(errors),
        "Called equivalent although the true difference is the edge of the region, in percent:",
        equivalence_table(errors),
        f"Ridge regression called better or equivalent, in percent, per true difference in AUROC, region ±{ROPE}:",
        power_table(power, (0.0, 0.012, ROPE, 0.04, 0.06, 0.08, 0.12)),
    ]
    write_block(options.output / f"{name}.md", "simulation", "\n\n".join(parts), name)


if __name__ == "__main__":
    main()
