"""Repeat the search of "Neuro-Symbolic Activation Discovery" (arXiv 2601.10740), with its leak and without.

    python examples/published_search.py --data.root ../shared/data/tabular --output docs/reproductions

The published search evolves formulas on a random tenth of all rows, those included that later test the network. Here
it runs once as published and once on as many rows that are drawn from the training rows alone, each with the seeds 42,
43, ...: one seed serves the split, the evolution and the network. Then the light network is trained with the formula
found (15 epochs, published protocol) and scored on the test rows, beside ReLU and beside a straight line, 5x.

The published code draws its tenth with seed 42 and splits with seeds 42, 43 and 44. NumPy's choice and scikit-learn's
split begin with the same permutation where they have the same seed: then every row that the search sees is a test row.

Every search and its network is a line of OUTPUT/published_search.csv and is not repeated; the tables go into
OUTPUT/neuro_symbolic.md, between two marks.
"""

import argparse
import csv
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from _marked_tables import write_block
from _published_search_report import Search, evaluate_program, report
from axonlight import __version__, configs
from axonlight.comparison.runs import execute
from axonlight.datamodules import NamedData
from axonlight.discovery.engines import GplearnEngine, SearchRows, search_rows
from neuro_symbolic import Options, load_data
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

CONTROLS = {"line": "formula(5*x)", "relu": "relu"}
MODES = ("leak", "no leak", *CONTROLS)
SHARE = 0.1


def search(mode: str, dataset: str, seed: int, options: Options) -> Search:
    """Evolve a formula, or take that of a control, and train the light network with it."""
    made = {"dataset": dataset, "mode": mode, "seed": seed, "axonlight": __version__, "torch": torch.__version__}
    if mode in CONTROLS:
        return Search(**made, **train(CONTROLS[mode], dataset, seed, options))
    data = load_data(dataset, seed, options)
    rows = search_rows(data, leak=mode == "leak")
    count = int(SHARE * sum(map(len, (data.rows.train, data.rows.validation, data.rows.test))))
    best = GplearnEngine(sample=count, keep=1).propose(rows, seed)[0]
    drawn, program_auroc = judge_program(best.original or "", data, rows, mode == "leak", count, seed)
    return Search(
        **made,
        rows_drawn=count,
        test_rows_drawn=drawn,
        program=best.original or "",
        formula=best.formula,
        seen_log_loss=best.scores["train_log_loss"],
        program_auroc=program_auroc,
        search_seconds=best.cost["seconds"],
        **train(f"formula({best.formula})", dataset, seed, options),
    )


def judge_program(
    program: str, data: NamedData, rows: SearchRows, leak: bool, count: int, seed: int
) -> tuple[int, float]:
    """Return how many test rows the search saw, and the AUC of its program, features not collapsed, on all of them."""
    drawn = np.random.RandomState(seed).choice(len(rows.x), count, replace=False)  # as the engine draws
    scaler = StandardScaler().fit(rows.x[drawn])
    x_test, y_test = (tensor.numpy() for tensor in data.test_dataloader().tensors)
    if leak:  # these rows are the table itself, not scaled
        x_test = rows.x[data.rows.test]
    values = evaluate_program(program, scaler.transform(x_test))
    seen = len(np.intersect1d(drawn, data.rows.test)) if leak else 0
    return seen, float(roc_auc_score(y_test, values))


def train(activation: str, dataset: str, seed: int, options: Options) -> dict[str, float]:
    """Return accuracy and AUC on the test rows of the light network, of the last epoch."""
    config: Any = yaml.safe_load(Path(configs.__path__[0], f"neuro_symbolic/{dataset}_light.yaml").read_text())
    config["seed_everything"] = seed
    config["model"]["init_args"]["network"]["init_args"]["activation"] = activation
    config["data"]["init_args"] |= {"split_seed": seed, "root": options.root}
    if options.rows is not None:
        config["data"]["init_args"] |= {"limit_rows": options.rows, "limit_seed": 0}
    config["trainer"] |= {"max_epochs": options.epochs, "accelerator": "cpu"}
    result = execute({"kind": "network", "config": config})
    if result.failed:  # a formula may overflow; that is a result too
        print(f"  {activation}: {result.error}")
    return {name: result.metrics.get(name, float("nan")) for name in ("accuracy", "auroc")}


def run_all(dataset: str, seeds: Sequence[int], path: Path, options: Options) -> Iterator[Search]:
    """Yield every search, old or new; new ones are appended to the file."""
    known = {(one.dataset, one.mode, one.seed): one for one in read_searches(path)}
    for seed in seeds:
        for mode in MODES:
            found = known.get((dataset, mode, seed))
            if found is None:
                found = search(mode, dataset, seed, options)
                append(path, found)
                print(
                    f"{dataset} {mode} seed {seed}: {found.formula or CONTROLS[mode]}: AUC {found.auroc:.4f}",
                    flush=True,
                )
            yield found


def append(path: Path, found: Search) -> None:
    """Add a line to the file."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Search)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(found))


def read_searches(path: Path) -> list[Search]:
    """Return the searches of the file that this version of axonlight and torch made."""
    if not path.exists():
        return []
    kinds = {field.name: field.type for field in fields(Search)}
    with path.open(newline="") as file:
        made = [Search(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(file)]
    return [one for one in made if (one.axonlight, one.torch) == (__version__, torch.__version__)]


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder of the data; default: AXONLIGHT_DATA, else download")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and searches")
    parser.add_argument("--set", dest="dataset", choices=("spambase", "forest_cover", "higgs"), default="spambase")
    parser.add_argument("--seeds", type=int, default=20, help="how many, from 42 on")
    parser.add_argument("--rows", type=int, help="rows of a trial, drawn at random; default: all")
    parser.add_argument("--epochs", type=int, default=15)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the tables."""
    given = read_arguments(arguments)
    options = Options(given.root, given.output, given.rows, given.epochs)
    torch.set_num_threads(1)  # these networks are too small to share; sums then have one order
    options.output.mkdir(parents=True, exist_ok=True)
    trial = "" if (given.rows, given.epochs) == (None, 15) else f"_{given.rows}_rows_{given.epochs}_epochs"
    path = options.output / f"published_search{trial}.csv"
    searches = list(run_all(given.dataset, range(42, 42 + given.seeds), path, options))
    command = shlex.join(
        ["python", "examples/published_search.py", *(sys.argv[1:] if arguments is None else arguments)]
    )
    page = options.output / "neuro_symbolic.md"
    write_block(page, f"search on {given.dataset}{trial}", report(searches, command), "published_search")
    print(f"tables: {page}")


if __name__ == "__main__":
    main()
