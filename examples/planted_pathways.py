"""Plant pathways, train a network on the simulated phenotype, and count how many of them its attributions find.

    python examples/planted_pathways.py --data.root ../shared/data --output docs/reproductions

Per setting and seed: one simulation, one network trained on it, the same network untrained, and the same network
trained on permuted labels; each explained by every method. A finished simulation is a block of lines of
OUTPUT/planted_pathways.csv and is not repeated; the tables go into OUTPUT/planted_pathways.md, between two marks per
setting, and leave the text around them alone.
"""

import argparse
import csv
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from _marked_tables import write_block
from _planted_report import Run, conditions, differences_table, recovery_table
from _process import start_process
from axonlight import __version__
from axonlight.attribution import Method, attribute
from axonlight.datamodules import InMemoryLoader, SimulatedPathways
from axonlight.datasets import data_root
from axonlight.models import ClassificationTask, PathwayNetwork
from axonlight.randomness import derive_seed
from axonlight.structures import Hierarchy, read_names
from lightning.pytorch import Trainer, seed_everything
from torch import Tensor

METHODS: tuple[Method, ...] = get_args(Method)
ADJUSTMENTS = ("none", "degree", "subgraph")
EPOCHS = 60
LEARNING_RATE = 0.003
TREE: dict[str, Any] = {"layer_sizes": [300, 60, 12], "num_causal": 5, "num_samples": 1000, "signal": 0.8}
PROTEOMICS: dict[str, Any] = {"num_causal": 5, "min_features": 3, "num_samples": 1000, "signal": 0.8}
SETTINGS: dict[str, dict[str, Any]] = {
    "tree": TREE,
    "tree without noise": {**TREE, "signal": 1.0},
    "tree, features of a pathway correlated": {**TREE, "correlation": 0.3},
    "tree, half of the features in two pathways": {**TREE, "overlap": 0.5},
    "tree, pathways of the upper layer": {**TREE, "layer": "level_1", "num_causal": 3},
    "tree, products of pathways": {**TREE, "effect": "interaction", "num_causal": 4},
    "proteomics, level 4": {**PROTEOMICS, "layer": "level_4"},
    "proteomics, level 3": {**PROTEOMICS, "layer": "level_3"},
}


def simulate(setting: str, seed: int, root: str | None) -> SimulatedPathways:
    """Return the data of a setting; one seed serves simulation, split, order and initialisation."""
    options = dict(SETTINGS[setting])
    if setting.startswith("proteomics"):
        options["hierarchy"] = real_hierarchy(root)
    return SimulatedPathways(
        **options,
        simulation_seed=seed,
        split_seed=seed,
        shuffle_seed=seed,
        test_fraction=0.3,
        val_fraction=0.0,
        batch_size=64,
        drop_last=True,
    )


@cache
def real_hierarchy(root: str | None) -> Hierarchy:
    """Return the four levels of Reactome above the proteins of the septic kidney set."""
    folder = data_root(root) / "proteomics"
    features = read_names(folder / "test_qm.csv")
    return Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", features=features, levels=4)


def run_seed(setting: str, seed: int, root: str | None) -> list[Run]:
    """Return how many planted pathways each network and method finds in one simulation."""
    data = simulate(setting, seed, root)
    runs = []
    for network in ("trained", "untrained", "permuted labels"):
        task = make_task(data, seed)
        if network != "untrained":
            train(task, training_rows(data, seed, permuted=network != "trained"))
        auroc = test_auroc(task, data)
        for method in METHODS:
            for adjust, scores in explain(task.network, data, method).items():
                runs.append(as_run(setting, seed, data, network, method, adjust, scores, auroc))
    floor = as_run(setting, seed, data, "none", "pathway mean", "none", mean_differences(data), float("nan"))
    return [*runs, floor]


def as_run(
    setting: str,
    seed: int,
    data: SimulatedPathways,
    network: str,
    method: str,
    adjust: str,
    scores: np.ndarray,
    auroc: float,
) -> Run:
    """Return one line of the CSV file for the scores (P,) of the pathways."""
    truth = data.truth
    counts = {"hits": truth.count_hits(scores), "causal": len(truth.names), "candidates": len(truth.candidates)}
    measured = {"auroc": auroc, "optimal_auroc": data.optimal_auroc, "similarity": similarity(data, scores)}
    versions = {"axonlight": __version__, "torch": torch.__version__}
    return Run(setting, seed, network, method, adjust, **counts, **measured, **versions)


def make_task(data: SimulatedPathways, seed: int) -> ClassificationTask:
    """Return an untrained network of the design `binn`; the same for the same seed."""
    seed_everything(seed, verbose=False)
    return ClassificationTask(
        PathwayNetwork,
        data.num_features,
        data.num_classes,
        feature_names=data.feature_names,
        hierarchy=data.hierarchy,
        optimizer=partial(torch.optim.Adam, lr=LEARNING_RATE),
    )


def training_rows(data: SimulatedPathways, seed: int, permuted: bool) -> InMemoryLoader:
    """Return the shuffled training batches, with labels that belong to other rows if permuted."""
    data.setup()
    x, y = data.train_dataloader().tensors
    if permuted:
        order = np.random.default_rng(derive_seed(seed, "permuted labels")).permutation(len(y))
        y = y[torch.from_numpy(order)]
    return InMemoryLoader([x, y], data.batch_size, shuffle=True, seed=seed, drop_last=True)


def train(task: ClassificationTask, rows: InMemoryLoader) -> None:
    """Train for a fixed number of epochs; nothing is selected."""
    trainer = Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, rows)


def test_rows(data: SimulatedPathways) -> tuple[Tensor, Tensor]:
    """Return the rows that are scored and explained."""
    x, y = data.test_dataloader().tensors
    return x, y


@torch.no_grad()
def test_auroc(task: ClassificationTask, data: SimulatedPathways) -> float:
    """Return the AUROC on the test rows, which nothing else has seen."""
    from sklearn.metrics import roc_auc_score

    x, y = test_rows(data)
    return float(roc_auc_score(y.numpy(), task.eval()(x).squeeze(-1).numpy()))


def explain(network: torch.nn.Module, data: SimulatedPathways, method: Method) -> dict[str, np.ndarray]:
    """Return, per adjustment, the scores (P,) of the pathways of the planted layer on the test rows."""
    layer = data.truth.layer
    found = attribute(network, test_rows(data)[0], method=method, layers=[layer], steps=32)
    return {adjust: found.adjusted_scores(layer, adjust) for adjust in ADJUSTMENTS}


def similarity(data: SimulatedPathways, scores: np.ndarray) -> float:
    """Return how similar the top k pathways are to the planted ones: mean of the largest Jaccard index of features."""
    layer = data.truth.layer
    nodes = data.hierarchy.nodes[data.hierarchy.layers.index(layer)]
    members = data.hierarchy.memberships(layer).astype(float)
    picked, planted = (
        members[[nodes.index(name) for name in names]].toarray()
        for names in (data.truth.top_candidates(scores), data.causal_pathways)
    )
    shared = picked @ planted.T
    union = picked.sum(axis=1)[:, None] + planted.sum(axis=1) - shared
    return float((shared / union).max(axis=1).mean())


def mean_differences(data: SimulatedPathways) -> np.ndarray:
    """Return the scores (P,) of a floor without network: how far the mean of a pathway's features differs by class."""
    x, y = (tensor.double().numpy() for tensor in data.train_dataloader().tensors)
    members = data.hierarchy.memberships(data.truth.layer).astype(float)
    means = (members @ x.T).T / np.maximum(np.diff(members.indptr), 1)
    spread = np.where(means.std(axis=0) > 0, means.std(axis=0), np.inf)
    return np.abs(means[y == 1].mean(axis=0) - means[y == 0].mean(axis=0)) / spread


def read_runs(path: Path) -> list[Run]:
    """Return the lines of the CSV file; none if there is no file."""
    if not path.exists():
        return []
    kinds = {field.name: field.type for field in fields(Run)}
    with path.open(newline="") as file:
        return [Run(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(file)]


def append_runs(path: Path, runs: Sequence[Run]) -> None:
    """Append the lines of one simulation to the CSV file."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Run)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(asdict(run) for run in runs)


def run_all(setting: str, seeds: Sequence[int], root: str | None, path: Path) -> Iterator[Run]:
    """Yield the lines of every simulation of a setting, old or new."""
    for seed in seeds:
        versions = (__version__, torch.__version__)
        known = [
            run
            for run in read_runs(path)
            if (run.setting, run.seed) == (setting, seed) and (run.axonlight, run.torch) == versions
        ]
        if not known:
            known = run_seed(setting, seed, root)
            append_runs(path, known)
            best = max(run.hits for run in known if run.network == "trained")
            print(f"{setting}, seed {seed}: up to {best} of {known[0].causal} found", flush=True)
        yield from known


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder of the proteomics set; default: AXONLIGHT_DATA")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and runs")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20, help="number of simulations per setting")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the tables."""
    given = read_arguments(arguments)
    start_process()
    # https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    warnings.filterwarnings("ignore", message=".isinstance\\(treespec, LeafSpec\\). is deprecated")
    given.output.mkdir(parents=True, exist_ok=True)
    command = shlex.join(
        ["python", "examples/planted_pathways.py", *(sys.argv[1:] if arguments is None else arguments)]
    )
    page = given.output / "planted_pathways.md"
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    for setting in given.settings:
        runs = list(run_all(setting, seeds, given.root, given.output / "planted_pathways.csv"))
        data = simulate(setting, seeds[0], given.root)
        text = f"{conditions(runs, command, data)}\n\n{recovery_table(runs)}\n\n{differences_table(runs)}"
        write_block(page, setting, text, "planted_pathways")
    print(f"tables: {page}")


if __name__ == "__main__":
    main()
