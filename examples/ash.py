"""Does ASH gain by its trainable percentile, and is it more than a Swish once a norm stands before it?

    python examples/ash.py --data.root ../shared/data --output docs/reproductions

The folder of --data.root holds tabular/. Each data set is a shipped study, run as by `axonlight compare
studies/ash_NAME.yaml`: finished runs are kept in --runs, and a stopped command goes on where it was. The tables go into
OUTPUT/ash.md, between two marks; verdicts and runs of every study into OUTPUT/ash/NAME. CIFAR-10 needs --sets cifar10
and its own folder, --cifar.root.
"""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from _ash_degeneration import Degeneration, measure_degeneration
from _ash_tables import NORMS, degeneration_table, tables
from _marked_tables import write_block
from axonlight.comparison import Study
from axonlight.comparison.design import read_study
from axonlight.comparison.report import write_report
from axonlight.comparison.runs.quiet import quiet

__all__ = ["SETS", "main", "run_study", "settings_of"]

SETS = ("spambase", "covertype", "digits", "cifar10")
TITLES = {"spambase": "Spambase", "covertype": "Covertype", "digits": "Handwritten digits", "cifar10": "CIFAR-10"}
KEPT = ("verdicts.json", "runs.parquet")
# Networks per normalisation whose ASH is held against a Swish: one for each fold of the first repeat.
MEASURED = 5


def run_study(name: str, root: str | None, runs: Path, settings: Sequence[tuple[str, object]]) -> Study:
    """Execute what is missing of a study and return it."""
    given = list(settings)
    if root is not None and name != "digits":
        given.append(("overrides.data.root", str(Path(root).resolve())))
    study = Study(read_study(f"studies/ash_{name}.yaml", given), output=runs / name)
    study.run().close()
    return study


def measure(study: Study) -> dict[str, list[list[Degeneration]]]:
    """Train ASH networks of every normalisation again, and measure each against a Swish."""
    with quiet():
        return {
            norm: [measure_degeneration(run.recipe) for run in study.plan.of_arm(f"{norm} / ash")[:MEASURED]]
            for norm in NORMS
        }


def settings_of(quick: bool) -> list[tuple[str, object]]:
    """Return what a trial changes."""
    return [("overrides.trainer.max_epochs", 2), ("folds", 2), ("repeats", 1)] if quick else []


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder of the data; default: AXONLIGHT_DATA")
    parser.add_argument("--cifar.root", dest="cifar_root", help="folder of the unpacked CIFAR-10")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and verdicts")
    parser.add_argument("--runs", type=Path, default=Path("runs/ash"), help="folder of ledgers and reports")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS[:3]))
    parser.add_argument("--quick", action="store_true", help="a trial: two epochs, two folds")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the studies and write their tables."""
    given = read_arguments(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "examples/ash.py", *(sys.argv[1:] if arguments is None else arguments)])
    page = given.output / "ash.md"
    for name in given.sets:
        study = run_study(
            name, given.cifar_root if name == "cifar10" else given.root, given.runs, settings_of(given.quick)
        )
        data = study.analyze(command=command)
        write_report(data, study.output)
        trial = ", trial" if given.quick else ""
        write_block(page, f"{TITLES[name]}{trial}", tables(data), "ash")
        write_block(page, f"{TITLES[name]}, distance from Swish{trial}", degeneration_table(measure(study)), "ash")
        if not given.quick:
            kept = given.output / "ash" / name
            kept.mkdir(parents=True, exist_ok=True)
            for file in KEPT:
                shutil.copy(study.output / file, kept / file)
        print(f"{TITLES[name]}: {study.output / 'report.html'}; tables: {page}", flush=True)


if __name__ == "__main__":
    main()
