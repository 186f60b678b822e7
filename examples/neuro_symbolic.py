"""Reproduce the result table of "Neuro-Symbolic Activation Discovery" (arXiv 2601.10740) through the command line.

    python examples/neuro_symbolic.py --data.root ../shared/data/tabular --output docs/reproductions

Every network is one `axonlight fit` on a shipped config and one `axonlight test` on the last epoch's weights. A
finished run is a line of OUTPUT/neuro_symbolic.csv and is not repeated; the tables of a set go into
OUTPUT/neuro_symbolic.md, between two marks, and leave the text around them alone.
"""

import argparse
import contextlib
import csv
import io
import logging
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
import yaml
from _marked_tables import write_block
from _neuro_symbolic_report import Run, conditions, published_table, seeds_table
from axonlight import __version__, configs, datamodules
from axonlight.cli import main as axonlight
from axonlight.datamodules import NamedData
from axonlight.models import ClassificationTask

SETS = ("spambase", "forest_cover", "higgs")
LIGHT = (
    "relu",
    "gelu",
    "silu",
    "formula(x*cos(x))",
    "formula(cos(x)-cos(cos(x)))",
    "formula(3*x+sin(x))",
    "formula(2*x**2+x)",
    "ash(z=0.0, alpha=1.0)",
)
NETWORKS = (("heavy", "relu"), *(("light", activation) for activation in LIGHT))
FLOORS = ("logistic regression", "majority class")
PUBLISHED_SEEDS = (42, 43, 44)


@dataclass(frozen=True)
class Options:
    """What the command was asked for; `rows` and `epochs` other than the published ones make a trial."""

    root: str | None
    output: Path
    rows: int | None
    epochs: int


class Results:
    """The finished runs: a CSV file to which each run is appended as it ends."""

    def __init__(self, path: Path, options: Options) -> None:
        self.path = path
        self.options = options
        self.runs = _read_runs(path) if path.exists() else []

    def find(self, dataset: str, size: str, activation: str, seed: int) -> Run | None:
        """Return the run of these options, this version and this torch, or None."""
        wanted = {"dataset": dataset, "size": size, "activation": activation, "seed": seed, **self.shared()}
        return next((run for run in self.runs if wanted.items() <= asdict(run).items()), None)

    def add(self, run: Run) -> None:
        """Keep a run, here and in the file."""
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Run)], lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(asdict(run))
        self.runs.append(run)

    def shared(self) -> dict[str, str | int]:
        """Return what all runs of these options have in common."""
        rows = "all" if self.options.rows is None else str(self.options.rows)
        versions = {"axonlight": __version__, "torch": torch.__version__}
        return {"rows": rows, "epochs": self.options.epochs, **versions}


def _read_runs(path: Path) -> list[Run]:
    kinds = {field.name: field.type for field in fields(Run)}
    with path.open(newline="") as file:
        return [Run(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(file)]


def train_and_test(dataset: str, size: str, activation: str, seed: int, results: Results) -> Run:
    """Fit one network from its shipped config and score its last epoch on the test rows."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        _call("fit", *fit_arguments(dataset, size, activation, seed, results.options), *_place(folder))
        seconds = time.perf_counter() - started
        checkpoint = f"{folder}/version_0/checkpoints/last.ckpt"
        _call("test", "--ckpt_path", checkpoint, *_place(f"{folder}/test"))
        with Path(folder, "test/version_0/metrics.csv").open(newline="") as file:
            metrics = next(csv.DictReader(file))
        task = ClassificationTask.load_from_checkpoint(checkpoint, weights_only=True)
    parameters = sum(parameter.numel() for parameter in task.parameters())
    scores = {"accuracy": float(metrics["test/accuracy"]), "auroc": float(metrics["test/auroc"])}
    return Run(
        dataset, size, activation, seed, **results.shared(), parameters=parameters, **scores, fit_seconds=seconds
    )


def fit_arguments(dataset: str, size: str, activation: str, seed: int, options: Options) -> list[str]:
    """Return the arguments after `axonlight fit` for one network; one seed serves split and initialisation."""
    arguments = [f"--config=neuro_symbolic/{dataset}_{size}.yaml", f"--model.network.activation={activation}"]
    arguments += [f"--seed_everything={seed}", f"--data.split_seed={seed}"]
    if options.root is not None:
        arguments.append(f"--data.root={options.root}")
    if options.rows is not None:  # drawn at random: Spambase is ordered by class
        arguments += [f"--data.limit_rows={options.rows}", "--data.limit_seed=0"]
    return [*arguments, f"--trainer.max_epochs={options.epochs}"]


def _place(folder: str) -> list[str]:
    return [f"--trainer.default_root_dir={folder}", "--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"]


def _call(*arguments: str) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = axonlight(arguments)
    if code:
        raise SystemExit(f"{said.getvalue()}axonlight {shlex.join(arguments)} ended with {code}")


def load_data(dataset: str, seed: int, options: Options) -> NamedData:
    """Return the data of the shipped config, divided with this seed."""
    config = yaml.safe_load(Path(configs.__path__[0], f"neuro_symbolic/{dataset}_light.yaml").read_text())["data"]
    limit = {} if options.rows is None else {"limit_rows": options.rows, "limit_seed": 0}
    arguments = {**config["init_args"], "root": options.root, "split_seed": seed, **limit}
    data = getattr(datamodules, config["class_path"])(**arguments)
    data.prepare_data()
    data.setup()
    return data


def score_floor(floor: str, dataset: str, seed: int, results: Results) -> Run:
    """Score logistic regression (scikit-learn's defaults) or the commonest training class on the same rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    data = load_data(dataset, seed, results.options)
    x_train, y_train = (tensor.numpy() for tensor in data.train_dataloader().tensors)
    x_test, y_test = (tensor.numpy() for tensor in data.test_dataloader().tensors)
    started = time.perf_counter()
    if floor == "majority class":
        parameters, scores = 0, torch.full((len(y_test),), float(y_train.mean() > 0.5)).numpy()
    else:
        model = LogisticRegression(max_iter=5000).fit(x_train, y_train)
        parameters, scores = model.coef_.size + model.intercept_.size, model.predict_proba(x_test)[:, 1]
    seconds = time.perf_counter() - started
    measured = {
        "parameters": parameters,
        "accuracy": float(((scores > 0.5) == y_test).mean()),
        "auroc": float(roc_auc_score(y_test, scores)),
        "fit_seconds": seconds,
    }
    return Run(dataset, "floor", floor, seed, **results.shared(), **measured)


def run_all(dataset: str, seeds: Sequence[int], results: Results) -> Iterator[Run]:
    """Yield every run of a set, old or new, in the order of the tables."""
    for size, activation in (*NETWORKS, *(("floor", floor) for floor in FLOORS)):
        for seed in seeds:
            run = results.find(dataset, size, activation, seed)
            if run is None:
                if size == "floor":
                    run = score_floor(activation, dataset, seed, results)
                else:
                    run = train_and_test(dataset, size, activation, seed, results)
                results.add(run)
                print(f"{dataset} {size} {activation} seed {seed}: accuracy {run.accuracy:.4f}, AUC {run.auroc:.4f}")
            yield run


def report(
    dataset: str, runs: Sequence[Run], first: Sequence[int], seeds: Sequence[int], options: Options, command: str
) -> str:
    """Return the conditions and the tables of one set as Markdown: `first` seeds beside the published, then all."""
    parts = [conditions(runs, command), describe_data(dataset, first, options)]
    parts += [f"Seeds {_listed(first)}:", published_table([run for run in runs if run.seed in first])]
    if len(seeds) > len(first):
        parts += [f"Seeds {_listed(seeds)}, paired with light ReLU:", seeds_table(runs)]
    return "\n\n".join(parts)


def describe_data(dataset: str, seeds: Sequence[int], options: Options) -> str:
    """Return the numbers of rows and of test rows that repeat a training row, as one sentence."""
    loaded = [load_data(dataset, seed, options) for seed in seeds]
    rows = loaded[0].rows
    repeated = ", ".join(str(data.duplicates_across_split) for data in loaded)
    return (
        f"{len(rows.train) + len(rows.test):,} rows x {loaded[0].num_features} features: {len(rows.train):,} train, "
        f"{len(rows.test):,} test; test rows that repeat a training row: {repeated}."
    )


def _listed(seeds: Sequence[int]) -> str:
    consecutive = list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]}-{seeds[-1]}" if consecutive and len(seeds) > 1 else ", ".join(map(str, seeds))


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder of the data; default: AXONLIGHT_DATA, else download")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and runs")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=PUBLISHED_SEEDS)
    parser.add_argument("--more-seeds", type=int, default=0, help="seeds after the last one, for a table of their own")
    parser.add_argument("--rows", type=int, help="rows of a trial, drawn at random; default: all")
    parser.add_argument("--epochs", type=int, default=15)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the tables."""
    given = read_arguments(arguments)
    options = Options(given.root, given.output, given.rows, given.epochs)
    seeds = [*given.seeds, *range(max(given.seeds) + 1, max(given.seeds) + 1 + given.more_seeds)]
    torch.set_num_threads(1)  # these networks are too small to share; sums then have one order
    for name in ("lightning.pytorch", "lightning.fabric", "axonlight"):
        logging.getLogger(name).setLevel(logging.ERROR)
    options.output.mkdir(parents=True, exist_ok=True)
    results = Results(options.output / "neuro_symbolic.csv", options)
    command = shlex.join(["python", "examples/neuro_symbolic.py", *(sys.argv[1:] if arguments is None else arguments)])
    page = options.output / "neuro_symbolic.md"
    for dataset in given.sets:
        runs = list(run_all(dataset, seeds, results))
        tables = report(dataset, runs, given.seeds, seeds, options, command)
        label = f"{dataset}, {results.shared()['rows']} rows, {options.epochs} epochs"
        write_block(page, label, tables, "neuro_symbolic")
    print(f"tables: {page}")


if __name__ == "__main__":
    main()
