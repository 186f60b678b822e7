"""One run of the survival reproduction: a model on a published fold, scored on the patients that it tests.

Everything fitted sees training patients only, the number of epochs is fixed, and the last weights count. The test
patients are also scored after every epoch, to measure what the choice of the best one would add; nothing is chosen.
"""

import functools
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _protopathway_arms import ARMS, BUDGET, FLOORS, INPUTS, SEEDS, Arm
from _protopathway_data import SETTINGS, Fold, Setting, load_fold, rank_average
from axonlight import __version__
from axonlight.attribution.fusion import collect_fusion, planted_link_recovery
from axonlight.callbacks import FiniteLoss, KMeansPrototypes, StepSeed
from axonlight.errors import RunError
from axonlight.metrics.survival import concordance_index, uno_concordance
from axonlight.models import ProtoPathway, SurvivalTask
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from torch import nn

__all__ = ["READINGS", "Job", "Run", "all_jobs", "execute"]

READINGS = ("attention", "contrast", "association")


@dataclass(frozen=True)
class Job:
    """What to run. `batches` limits the batches of an epoch and makes a trial."""

    cohort: str
    endpoint: str
    inputs: str
    arm: str
    labels: str
    fold: int
    seed: int
    epochs: int
    batches: int = 0


@dataclass(frozen=True, kw_only=True)
class Run(Job):
    """A finished run; the fields, those of its job first, are the columns of the CSV file.

    `curve` is the C-index of the test patients after every epoch, `with_clinical` that of the mean of the network's
    ranks and those of a ridge Cox regression on the covariates, `link_...` the mean place of the planted pathways by
    the readings of `planted_link_recovery` and, `start_...`, the same before the first step; `seconds` are those of the
    processor. A run that failed has NaN scores and says why in `failure`.
    """

    axonlight: str
    torch: str
    parameters: int
    train_rows: int
    test_rows: int
    test_events: int
    c_index: float
    uno_c_index: float
    with_clinical: float
    train_loss: float
    curve: str
    start_attention: float
    start_contrast: float
    start_association: float
    link_attention: float
    link_contrast: float
    link_association: float
    seconds: float
    failure: str

    @property
    def looks(self) -> list[float]:
        """C-index of the test patients after every epoch."""
        return [float(text) for text in self.curve.split()]


def all_jobs(settings: tuple[Setting, ...] = SETTINGS, folds: int = 5, seeds: int = SEEDS) -> list[Job]:
    """Return every run, fold by fold, so that a fold is loaded once."""
    return [
        job for cohort, endpoint in settings for fold in range(folds) for job in _of_fold(cohort, endpoint, fold, seeds)
    ]


def _of_fold(cohort: str, endpoint: str, fold: int, seeds: int) -> list[Job]:
    jobs = [
        Job(cohort, endpoint, inputs, floor, "true", fold, 10 * fold + seed, 0)
        for inputs in INPUTS
        for floor in FLOORS[inputs]
        for seed in range(seeds)
    ]
    for name, arm in ARMS.items():
        for inputs in arm.inputs:
            where = (cohort, endpoint, inputs, name)
            epochs = arm.epochs or BUDGET.epochs
            jobs += [Job(*where, "true", fold, 10 * fold + seed, epochs) for seed in range(seeds)]
            if arm.relabelled and inputs == "rna+slides":
                jobs.append(Job(*where, "permuted", fold, 10 * fold, epochs))
    return jobs


def execute(job: Job, root: str | None, runs: str) -> Run:
    """Run one job."""
    fold = load_fold(job.cohort, job.endpoint, job.fold, root, runs)
    started = time.process_time()
    found = _score_floor(job, fold) if job.arm in FLOORS[job.inputs] else _train(job, fold)
    events = int(fold.test_target[:, 1].sum())
    return Run(
        **vars(job),
        axonlight=__version__,
        torch=torch.__version__,
        train_rows=len(fold.data.rows.train),
        test_rows=len(fold.data.rows.test),
        test_events=events,
        seconds=round(time.process_time() - started, 2),
        **found,
    )


def _scores(risk: np.ndarray, fold: Fold, inputs: str) -> dict[str, float]:
    time_, event = fold.test_target.unbind(1)
    with_clinical = math.nan
    if inputs == "rna":
        with_clinical = float(concordance_index(rank_average([risk, fold.clinical_risk]), time_, event))
    return {
        "c_index": float(concordance_index(risk, time_, event)),
        "uno_c_index": float(uno_concordance(risk, time_, event, fold.data.survival_targets("train"))),
        "with_clinical": with_clinical,
    }


def _of_links(network: nn.Module, fold: Fold, when: str) -> dict[str, float]:
    """Return the mean place of the planted pathways, by every reading; NaN for a network without such attention."""
    if not isinstance(network, ProtoPathway) or not network.patch_features:
        return {f"{when}_{reading}": math.nan for reading in READINGS}
    names = fold.data.patient_names("test")
    batches = fold.data.test_dataloader()
    found = collect_fusion(network, batches, names, risk=np.zeros(len(names)), with_shares=False)
    recovery = planted_link_recovery(found, fold.data.simulated)
    return {f"{when}_{reading}": recovery.mean(reading) for reading in READINGS}


def _score_floor(job: Job, fold: Fold) -> dict[str, Any]:
    scores = _scores(fold.risk(FLOORS[job.inputs][job.arm], job.seed), fold, job.inputs)
    rest = {"parameters": 0, "train_loss": math.nan, "curve": "", "failure": ""}
    nothing = {f"{when}_{reading}": math.nan for when in ("start", "link") for reading in READINGS}
    return {**scores, **rest, **nothing}


class _Looks(Callback):
    """Keeps the C-index after every epoch, and what attention says of the planted links before the first step."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.curve: list[float] = []
        self.start: dict[str, float] = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the attention once the prototypes stand where they start."""
        if trainer.current_epoch == 0:
            self.start = _of_links(pl_module.network, self.fold, "start")  # pyright: ignore[reportArgumentType]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the score."""
        self.curve.append(float(trainer.callback_metrics["val/c_index"]))


def _train(job: Job, fold: Fold) -> dict[str, Any]:
    arm, data = ARMS[job.arm], fold.data
    data.batch_size = BUDGET.batch_size
    data.drop_last = True  # batch norm has no variance of a single row; in an epoch every patient may be left out
    data.label_seed = job.seed if job.labels == "permuted" else None
    # Every arm of a fold begins with the same random state and sees its batches in the same order.
    seed_everything(job.seed, verbose=False)
    task = _build_task(job, arm, data)
    looks = _Looks(fold)
    scores = ("c_index", "uno_c_index", "with_clinical", "train_loss")
    found: dict[str, Any] = dict.fromkeys([*scores, *(f"link_{reading}" for reading in READINGS)], math.nan)
    failure = ""
    try:
        _fit(task, data, [StepSeed(), FiniteLoss(), *_starts(arm, job.inputs), looks], job)
        found["train_loss"] = float(task.trainer.callback_metrics["train/loss"])
        found |= _scores(_risk(task, data), fold, job.inputs)
        found |= _of_links(task.network, fold, "link")
    except RunError as error:
        failure = str(error)
    return {
        **found,
        "parameters": sum(parameter.numel() for parameter in task.parameters() if parameter.requires_grad),
        "curve": " ".join(f"{value:.4f}" for value in looks.curve),
        "failure": failure,
        **looks.start,
    }


def _build_task(job: Job, arm: Arm, data: Any) -> SurvivalTask:
    optimizer = functools.partial(torch.optim.AdamW, lr=BUDGET.learning_rate, weight_decay=BUDGET.weight_decay)
    task = SurvivalTask(
        functools.partial(arm.network, **arm.options),  # pyright: ignore[reportArgumentType]
        in_features=data.num_features,
        feature_names=data.feature_names,
        hierarchy=data.hierarchy,
        patch_features=data.num_patch_features if job.inputs == "rna+slides" else 0,
        clinical_features=data.num_clinical if job.inputs == "rna+clinical" else 0,
        optimizer=optimizer,
    )
    if arm.untrained:  # as where they are created after the optimizer took its parameters
        task.network.gene_sets.requires_grad_(False)
    return task


def _starts(arm: Arm, inputs: str) -> list[Callback]:
    if arm.prototypes is None or inputs != "rna+slides":
        return []
    return [KMeansPrototypes(max_patches=20_000, scale=arm.prototypes)]  # pyright: ignore[reportArgumentType]


def _fit(task: SurvivalTask, data: Any, callbacks: list[Callback], job: Job) -> None:
    trainer = Trainer(
        max_epochs=job.epochs,
        limit_train_batches=job.batches or None,
        accelerator="cpu",
        devices=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
    )
    trainer.fit(task, datamodule=data)


def _risk(task: SurvivalTask, data: Any) -> np.ndarray:
    """Return the risk (M,) of the test patients."""
    task.eval()
    with torch.no_grad():
        return torch.cat([task.total_predictions(task(inputs)) for inputs, _ in data.test_dataloader()]).numpy()
