"""Which pathways of the septic proteomes matter more than their places do by chance, and can a network say so at all?

    python examples/calibrated_importance.py --data.root ../shared/data --output docs/reproductions

Three parts, each a block of OUTPUT/calibrated_importance.md between two marks, which leaves the text around it alone:

- importance: real networks against null hierarchies and shuffled labels (also CSV files and pictures beside the page)
- pruning: whether training takes out random edges that were added to the hierarchy
- teacher: whether students of a network with this wiring find its insides when they find its outputs
"""

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from _importance_report import conditions, importance_tables, pruning_table, teacher_table
from _marked_tables import write_block
from _process import start_process
from axonlight.attribution import FitOptions, spurious_edge_test, teacher_student_test
from axonlight.comparison.importance import importance_study
from axonlight.datamodules import Proteomics, random_hierarchy
from axonlight.datasets import data_root
from axonlight.structures import HierarchyFiles

__all__ = ["main"]

NAME = "calibrated_importance"
PENALTIES = {"none": {}, "L2 0.0001": {"l2": 1e-4}, "L2 0.001": {"l2": 1e-3}, "L1 0.001": {"l1": 1e-3}}


def load(root: Path) -> Proteomics:
    """Return the proteomes, divided and encoded as in the importance study."""
    hierarchy = HierarchyFiles(reader="reactome", annotations="translation.tsv", relations="pathways.tsv", levels=4)
    data = Proteomics(root=str(root / "proteomics"), hierarchy=hierarchy, val_fraction=0.0)
    data.prepare_data()
    data.setup()
    return data


def importance(root: Path, given: argparse.Namespace) -> tuple[str, str]:
    """Train, explain and calibrate; write the files beside the page."""
    names = root / "reactome" / "ReactomePathways.txt"
    overrides = {"data.root": str(root / "proteomics")}
    if given.epochs is not None:
        overrides["trainer.max_epochs"] = given.epochs
    study = importance_study(
        "pathways/proteomics.yaml",
        overrides=overrides,
        draws=given.draws,
        label_shuffles=given.draws,
        seeds=given.seeds,
        folds=given.folds,
        titles=str(names) if names.is_file() else None,
    )
    study.write(given.output, NAME)
    facts = study.facts
    what = (
        f"{facts['networks']:,} networks: {facts['seeds']} seeds of the real hierarchy, of {given.draws} draws and of "
        f"{given.draws} label shuffles, {facts['folds']} folds; {facts['train_rows']} training rows; scores of the "
        f"{facts['test_rows']} test rows by {facts['method'].replace('_', ' ')}; failed: {facts['failed'] or 'none'}"
    )
    return what, importance_tables(study)


def pruning(root: Path, given: argparse.Namespace) -> tuple[str, str]:
    """Add half as many random edges as there are, and train with several penalties."""
    data = load(root)
    x, y = data.train_dataloader().tensors
    epochs = 100 if given.epochs is None else given.epochs
    found = {
        name: spurious_edge_test(
            data.hierarchy,
            x,
            y,
            fraction=0.5,
            feature_names=data.feature_names,
            options=FitOptions(epochs=epochs, learning_rate=0.003, batch_size=32, **penalty),
            seeds=range(given.seeds),
        )
        for name, penalty in PENALTIES.items()
    }
    what = f"{given.seeds} networks per penalty of the design binn, {epochs} epochs, all {len(y)} training rows"
    return what, pruning_table(found)


def teacher(root: Path, given: argparse.Namespace) -> tuple[str, str]:
    """Train students of a small tree and of the real hierarchy."""
    real, tree = load(root).hierarchy, random_hierarchy([60, 15, 4], overlap=0.5)
    students = range(1, 1 + max(2, given.seeds // 2))
    epochs = 150 if given.epochs is None else given.epochs
    settings = {
        "tree 60-15-4, 2,000 rows": (tree, 2000),
        "tree 60-15-4, 200 rows": (tree, 200),
        "proteomics, 10,000 rows": (real, 10_000 if given.epochs is None else 500),
        "proteomics, 200 rows": (real, 200),
    }
    found = {
        name: teacher_student_test(
            hierarchy, students=students, rows=rows, options=FitOptions(epochs=epochs, learning_rate=0.01)
        )
        for name, (hierarchy, rows) in settings.items()
    }
    what = f"{len(students)} students each, {epochs} epochs, tanh without batch normalisation, no noise"
    return what, teacher_table(found)


PARTS: dict[str, Callable[[Path, argparse.Namespace], tuple[str, str]]] = {
    "importance": importance,
    "pruning": pruning,
    "teacher": teacher,
}


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder of the data; default: AXONLIGHT_DATA")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of the page")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--draws", type=int, default=100, help="draws of the null, and shuffles of the labels")
    parser.add_argument("--seeds", type=int, default=4, help="networks per draw")
    parser.add_argument("--folds", type=int, default=5, help="folds over which the ranking is compared")
    parser.add_argument("--epochs", type=int, help="fewer make a trial; default: those of the config")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts and write their blocks."""
    given = read_arguments(arguments)
    start_process()
    given.output.mkdir(parents=True, exist_ok=True)
    words = [f"examples/{NAME}.py", *(sys.argv[1:] if arguments is None else arguments)]
    command = shlex.join(["python", *words])
    for part in given.parts:
        started = time.perf_counter()
        what, tables = PARTS[part](data_root(given.root), given)
        minutes = (time.perf_counter() - started) / 60
        block = f"{conditions(command, what)}; {minutes:.1f} min.\n\n{tables}"
        write_block(given.output / f"{NAME}.md", part, block, NAME)
        print(f"{part}: {minutes:.1f} min", flush=True)
    print(f"tables: {given.output / NAME}.md")


if __name__ == "__main__":
    main()
