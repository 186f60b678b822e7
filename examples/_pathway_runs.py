"""One run of the pathway reproduction: a model on a split of a data set, scored on its test rows.

Everything fitted sees training rows only; there are no validation rows, and the last epoch's weights are scored.
"""

import functools
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from axonlight import __version__
from axonlight.baselines import classification_floors
from axonlight.callbacks import FiniteLoss, StepSeed
from axonlight.datamodules import TCGA, Proteomics, TableDataModule
from axonlight.errors import RunError
from axonlight.models import ClassificationTask, DenseNetwork, PathwayNetwork, dense_control
from axonlight.structures import entity_of
from lightning.pytorch import Trainer, seed_everything

__all__ = [
    "DATASETS",
    "FLOORS",
    "METRICS",
    "NETWORKS",
    "Dataset",
    "Job",
    "Run",
    "execute",
    "load_data",
]

METRICS = ("auroc", "accuracy", "average_precision", "f1", "calibration_error")
FORMULAS = ("formula(x*cos(x))", "formula(3*x+sin(x))")
ACTIVATIONS = ("tanh", "ash", *FORMULAS)
NETWORKS = (
    *(("binn", activation) for activation in ACTIVATIONS),
    ("binn, one per pathway", "ash"),
    *(("pnet", activation) for activation in ACTIVATIONS),
    *(("dense", activation) for activation in ACTIVATIONS),
)
# Name of the row -> floor of the package, and which columns it sees: the pathway networks see "the hierarchy's".
FLOORS = {
    "ridge logistic": ("ridge_logistic", "all"),
    "ridge logistic, columns of the hierarchy": ("ridge_logistic", "the hierarchy's"),
    "ridge logistic, measured or not": ("ridge_logistic", "masks"),
    "random forest": ("random_forest", "all"),
    "constant": ("constant", "none"),
}
MASK = "=present"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: fixed before any test row was scored, the same for all activations and data."""

    epochs: int
    batch_size: int
    weight_decay: float = 0.0
    decay_every: int | None = None


# "pnet" as published: L2 0.001 of Keras is a weight decay of 0.002 here. Left out: class weights, more L2 on the heads,
# and the epochs 151 to 300, whose learning rates add 1.5 % to the sum of all.
RECIPES = {
    "binn": Recipe(epochs=100, batch_size=32),
    "pnet": Recipe(epochs=150, batch_size=50, weight_decay=0.002, decay_every=50),
    "dense": Recipe(epochs=100, batch_size=32),
}


@dataclass(frozen=True)
class Job:
    """What to run. `epochs` None takes the recipe's; another number makes a trial."""

    dataset: str
    model: str
    activation: str
    repeat: int
    fold: int
    seed: int
    epochs: int | None = None


@dataclass(frozen=True)
class Run:
    """A finished run; the fields are the columns of the CSV file.

    `seconds` are those of the processor. A run that failed has NaN scores and says why in `failure`.
    """

    dataset: str
    model: str
    activation: str
    repeat: int
    fold: int
    seed: int
    epochs: int
    axonlight: str
    torch: str
    parameters: int
    columns: int
    train_rows: int
    test_rows: int
    auroc: float
    accuracy: float
    average_precision: float
    f1: float
    calibration_error: float
    train_loss: float
    seconds: float
    failure: str


@dataclass(frozen=True)
class Dataset:
    """A data set of the reproduction: how it is loaded, divided, and which models run on it."""

    load: Callable[[str | None, int, int], TableDataModule]
    repeats: int
    seeds: int
    models: Sequence[tuple[str, str]]

    def jobs(self, name: str, epochs: int | None = None) -> list[Job]:
        """Return every run, split by split; the first of several seeds of a split depends on the split."""
        return [
            Job(name, model, activation, repeat, fold, 100 * repeat + 10 * fold + seed, epochs)
            for repeat in range(self.repeats)
            for fold in range(5)
            for seed in range(self.seeds)
            for model, activation in self.models
        ]


def _proteomics(root: str | None, repeat: int, fold: int, **options: Any) -> Proteomics:
    files = {"reader": "reactome", "annotations": "translation.tsv", "relations": "pathways.tsv", "levels": 4}
    return Proteomics(
        root, fold=fold, num_folds=5, split_seed=repeat, val_fraction=0.0, **{"hierarchy": files, **options}
    )


def _without_suspects(root: str | None, repeat: int, fold: int) -> Proteomics:
    """Leave out the samples whose prefix lies in one group alone."""
    whole = _proteomics(root, repeat, fold)
    design = pd.read_csv(whole.design, sep="\t")
    suspects = [name for names in whole.batch_effect_suspects.values() for name in names]
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "design_matrix.tsv")
        design[~design["sample"].isin(suspects)].to_csv(kept, sep="\t", index=False)
        data = _proteomics(root, repeat, fold, design=str(kept))
        data.setup()
    return data


def _as_published(root: str | None, repeat: int, fold: int, leak: bool) -> Proteomics:
    """Put zeros in place of missing values, without a mask; with `leak`, scale by all rows, as the published code."""
    data = _proteomics(root, repeat, fold, impute="zero", missing_mask=False)
    data.setup()
    if leak:
        data.encoder.fit(data.table(), data.source)
    return data


def _tcga(cohort: str, root: str | None, repeat: int, fold: int) -> TCGA:
    """Death within 24 months on a published fold."""
    names = ("reactome/ReactomePathways.gmt", "reactome/ReactomePathwaysRelation.txt")
    files = {"reader": "reactome", "annotations": names[0], "relations": names[1], "levels": 4}
    return TCGA(root, cohort=cohort, endpoint="os", months=24, fold=fold, val_fraction=0.0, hierarchy=files)


_ALL = (*NETWORKS, *((name, "") for name in FLOORS))
_WITHOUT_MASK = tuple((name, "") for name, (_, columns) in FLOORS.items() if columns != "masks")
_MAIN = ("binn", "tanh")
DATASETS = {
    "proteomics": Dataset(_proteomics, 5, 1, _ALL),
    "proteomics_without_suspects": Dataset(_without_suspects, 5, 1, (_MAIN, *((name, "") for name in FLOORS))),
    "proteomics_zero_filled": Dataset(functools.partial(_as_published, leak=False), 5, 1, (_MAIN, *_WITHOUT_MASK)),
    "proteomics_scaler_leak": Dataset(functools.partial(_as_published, leak=True), 5, 1, (_MAIN, *_WITHOUT_MASK)),
    "blca": Dataset(functools.partial(_tcga, "blca"), 1, 3, (*NETWORKS, *_WITHOUT_MASK)),
    "stad": Dataset(functools.partial(_tcga, "stad"), 1, 3, (*NETWORKS, *_WITHOUT_MASK)),
}


@functools.lru_cache(maxsize=2)
def load_data(dataset: str, root: str | None, repeat: int, fold: int) -> TableDataModule:
    """Return the data of a split, encoded by its training rows; the last two are kept."""
    data = DATASETS[dataset].load(root, repeat, fold)
    data.prepare_data()
    data.setup()
    return data


def execute(job: Job, root: str | None) -> Run:
    """Run one job."""
    data = load_data(job.dataset, root, job.repeat, job.fold)
    started = time.process_time()
    found = _score_floor(job, data) if job.model in FLOORS else _train(job, data)
    return Run(
        **{key: value for key, value in vars(job).items() if key != "epochs"},
        axonlight=__version__,
        torch=torch.__version__,
        train_rows=len(data.rows.train),
        test_rows=len(data.rows.test),
        seconds=round(time.process_time() - started, 3),
        **found,
    )


def _score_floor(job: Job, data: TableDataModule) -> dict[str, Any]:
    floor, columns = FLOORS[job.model]
    kept = _columns(data, columns)
    x_train, y_train = (tensor.numpy() for tensor in data.train_dataloader().tensors)
    x_test, y_test = (tensor.numpy() for tensor in data.test_dataloader().tensors)
    scores = classification_floors(x_train[:, kept], y_train, x_test[:, kept], y_test, seed=job.seed, floors=[floor])
    return {**scores[floor], "parameters": 0, "columns": len(kept), "epochs": 0, "train_loss": math.nan, "failure": ""}


def _columns(data: TableDataModule, which: str) -> list[int]:
    known = set(data.hierarchy.features) if which == "the hierarchy's" else set()
    wanted: dict[str, Callable[[str], bool]] = {
        "all": lambda name: True,
        "none": lambda name: False,
        "masks": lambda name: name.endswith(MASK),
        "the hierarchy's": lambda name: name in known or entity_of(name) in known,
    }
    return [number for number, name in enumerate(data.feature_names) if wanted[which](name)]


def _train(job: Job, data: TableDataModule) -> dict[str, Any]:
    recipe = RECIPES[job.model.partition(",")[0]]
    data.batch_size = recipe.batch_size
    # Batch norm has no variance of a single row.
    data.drop_last = len(data.rows.train) % recipe.batch_size == 1
    # Every arm of a split begins with the same random state and sees its batches in the same order.
    seed_everything(job.seed, verbose=False)
    task = _build_task(job, data, recipe)
    trainer = Trainer(
        max_epochs=job.epochs or recipe.epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[StepSeed(), FiniteLoss()],
    )
    found: dict[str, Any] = dict.fromkeys([*METRICS, "train_loss"], math.nan)
    try:
        trainer.fit(task, datamodule=data)
        loss = float(trainer.callback_metrics["train/loss"])
        measured = trainer.test(task, datamodule=data, verbose=False)[0]
        found = {**{name: measured[f"test/{name}"] for name in METRICS}, "train_loss": loss, "failure": ""}
    except RunError as error:
        found["failure"] = str(error)
    unused = getattr(task.network, "unused_columns", [])
    parameters = sum(parameter.numel() for parameter in task.parameters())
    return {
        **found,
        "parameters": parameters,
        "columns": data.num_features - len(unused),
        "epochs": job.epochs or recipe.epochs,
    }


def _build_task(job: Job, data: TableDataModule, recipe: Recipe) -> ClassificationTask:
    network: Any
    if job.model == "dense":
        network = functools.partial(DenseNetwork, hidden=[dense_width(data)] * 2, activation=job.activation)
    else:
        per_pathway = {"activation_parameters": "node"} if job.model.endswith("per pathway") else {}
        design = job.model.partition(",")[0]
        network = functools.partial(PathwayNetwork, design=design, activation=job.activation, **per_pathway)
    scheduler = None
    if recipe.decay_every is not None:
        scheduler = functools.partial(torch.optim.lr_scheduler.StepLR, step_size=recipe.decay_every, gamma=0.25)
    return ClassificationTask(
        network,
        in_features=data.num_features,
        num_classes=2,
        feature_names=data.feature_names,
        hierarchy=data.hierarchy,
        optimizer=functools.partial(torch.optim.Adam, lr=0.001, weight_decay=recipe.weight_decay),
        scheduler=scheduler,
    )


def dense_width(data: TableDataModule) -> int:
    """Return the width at which two hidden layers have most nearly as many parameters as the pathway network."""
    network = PathwayNetwork(data.num_features, 1, data.hierarchy, data.feature_names, design="binn")
    return dense_control(network)["hidden"][0]
