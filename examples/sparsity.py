"""Does biology help, or only sparsity? Two networks, three activations, five null models, three data sets.

    python examples/sparsity.py --data.root ../shared/data --output docs/reproductions

The folder of --data.root holds proteomics/, tcga/ and reactome/. Each data set is a shipped study, run as by `axonlight
compare studies/sparsity_NAME.yaml`: finished runs are kept in --runs, and a stopped command goes on where it was. The
tables go into OUTPUT/sparsity.md, between two marks; verdicts and runs of every study into OUTPUT/sparsity/NAME.
"""

import argparse
import math
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from _marked_tables import table, write_block
from axonlight.comparison import Study
from axonlight.comparison.analysis import NamedComparison, ReportData
from axonlight.comparison.design import read_study
from axonlight.comparison.report import write_report

__all__ = ["SETS", "main", "tables"]

SETS = ("proteomics", "blca", "stad")
TITLES = {"proteomics": "Septic kidney proteomes", "blca": "TCGA-BLCA", "stad": "TCGA-STAD"}
KEPT = ("verdicts.json", "null_card.json", "runs.parquet")


def run_study(name: str, root: str | None, runs: Path, settings: Sequence[tuple[str, object]]) -> Study:
    """Execute what is missing of a study and return it."""
    given = list(settings)
    if root is not None:
        folder = Path(root, "proteomics") if name == "proteomics" else Path(root)
        given.append(("overrides.data.root", str(folder.resolve())))
    study = Study(read_study(f"studies/sparsity_{name}.yaml", given), output=runs / name)
    study.run().close()
    return study


def tables(data: ReportData) -> str:
    """Return the tables of one study: arms, comparisons with null models, gains of activations, floors."""
    conditions = "; ".join(f"{label}: {text}" for label, text in data.conditions.items())
    parts = [
        f"{data.splits} splits ({data.folds} folds x {data.repeats}), {len(data.runs):,} runs. {conditions}.",
        _arm_table(data),
        _comparison_table("real against", [found for found in data.comparisons if not _is_gain(found)]),
        _comparison_table("gain, real less null", [found for found in data.comparisons if _is_gain(found)]),
        _comparison_table("network against floor", [found for found in data.floors if found.metric == data.metrics[0]]),
    ]
    return "\n\n".join(parts)


def _is_gain(found: NamedComparison) -> bool:
    return len(found.contrast.weights) > 2


def _arm_table(data: ReportData) -> str:
    rows = []
    for arm in data.arms:
        scores = [_estimate(arm.estimates[metric]) for metric in data.metrics]
        parameters = "" if arm.parameters is None else f"{arm.parameters:,}"
        rows.append([arm.name, *scores, parameters, arm.draws or "", f"{arm.done:,}", arm.failed or ""])
    return table(["arm", *data.metrics, "parameters", "draws", "runs", "failed"], rows)


def _comparison_table(head: str, found: Sequence[NamedComparison]) -> str:
    names = [head, "metric", "difference", "p", "p equivalent", "verdict", "empirical p"]
    return table(names, [_comparison(one) for one in found])


def _comparison(found: NamedComparison) -> list[str]:
    one = found.comparison
    low, high = one.interval
    difference = f"{one.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
    empirical = "" if found.empirical is None else f"{found.empirical.p:.3f}"
    return [found.name, found.metric, difference, _p(one.p_value), _p(one.p_equivalence), one.verdict, empirical]


def _estimate(estimate: object) -> str:
    mean, low, high = (getattr(estimate, name) for name in ("mean", "low", "high"))
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]" if not math.isnan(low) else f"{mean:.3f}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder of the data; default: AXONLIGHT_DATA")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and verdicts")
    parser.add_argument("--runs", type=Path, default=Path("runs/sparsity"), help="folder of ledgers and reports")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--quick", action="store_true", help="a trial: two epochs, two folds, two draws")
    return parser.parse_args(arguments)


def settings_of(quick: bool) -> list[tuple[str, object]]:
    """Return what a trial changes."""
    if not quick:
        return []
    draws = [
        (f"factors.wiring.{null}.draws", 2)
        for null in ("permuted_inputs", "degree_preserving", "random_sets", "shuffled_hierarchy", "erdos_renyi")
    ]
    return [*draws, ("overrides.trainer.max_epochs", 2), ("folds", 2), ("repeats", 1)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the studies and write their tables."""
    given = read_arguments(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "examples/sparsity.py", *(sys.argv[1:] if arguments is None else arguments)])
    page = given.output / "sparsity.md"
    for name in given.sets:
        study = run_study(name, given.root, given.runs, settings_of(given.quick))
        data = study.analyze(command=command)
        write_report(data, study.output)
        label = f"{TITLES[name]}{', trial' if given.quick else ''}"
        write_block(page, label, tables(data), "sparsity")
        if not given.quick:
            kept = given.output / "sparsity" / name
            kept.mkdir(parents=True, exist_ok=True)
            for file in KEPT:
                shutil.copy(study.output / file, kept / file)
        print(f"{TITLES[name]}: {study.output / 'report.html'}; tables: {page}", flush=True)


if __name__ == "__main__":
    main()
