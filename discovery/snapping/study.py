"""Learn, then snap, from a config: train the curves, exchange them, train the constants, say what each step cost."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EarlyStopping

from ...activations import activation_parameters
from ...comparison.runs.build import BuiltRun, build_run
from ...comparison.runs.quiet import nothing_left_behind
from ...errors import InputError
from .result import SnapReport
from .snapping import snap_activations

__all__ = ["LearnedThenSnapped", "Scores", "learn_then_snap"]

Retrained = Literal["constants", "all"]


@dataclass(frozen=True)
class Scores:
    """What one network reached.

    Attributes:
        validation: Metrics of the validation rows, by their names without "val/".
        test: Metrics of the test rows, each network scored there once, at the very end; empty where not asked for.
        parameters: Values of the network.

    Example:
        >>> Scores({"auroc": 0.9}, {}, 5825).parameters
        5825
    """

    validation: Mapping[str, float]
    test: Mapping[str, float]
    parameters: int


@dataclass(frozen=True)
class LearnedThenSnapped:
    """A run of learning and snapping.

    Attributes:
        report: What the curves became.
        scores: By step: "curve" (as trained), "snapped" (formulas in its place), "retrained" (their constants trained
            on), and "curve, trained on" (the curves trained on for as long instead).

    Example:
        >>> scores = {"curve": Scores({"auroc": 0.95}, {}, 100), "snapped": Scores({"auroc": 0.93}, {}, 90)}
        >>> found = LearnedThenSnapped(SnapReport([], [], 10, 1.25, 1e-3), scores)
        >>> round(found.loss("auroc", "snapped"), 6)
        0.02
    """

    report: SnapReport
    scores: Mapping[str, Scores]

    def loss(self, metric: str, step: str, rows: Literal["validation", "test"] = "validation") -> float:
        """Return by how much a metric of the trained curves is above that of a later step."""
        return getattr(self.scores["curve"], rows)[metric] - getattr(self.scores[step], rows)[metric]


def learn_then_snap(
    config: Mapping[str, Any],
    retrain_epochs: int = 5,
    retrain: Retrained = "constants",
    test: bool = False,
    **options: Any,
) -> LearnedThenSnapped:
    """Train the curves of a network, snap them on its training rows, and train the constants of the formulas.

    Args:
        config: A config as `axonlight fit` takes it, whose network has a `RationalActivation` or `PWLU` and whose data
            have validation rows.
        retrain_epochs: Epochs of training after the exchange.
        retrain: What is trained then: the "constants" of the formulas, or "all" weights.
        test: Whether to score all networks on the test rows when everything is done. Nothing is chosen by that.
        **options: See `snap_activations`.

    Raises:
        InputError: If there are no validation rows, no learned curve, or an option is out of range.

    Example:
        >>> options = {"hidden": [8], "activation": "rational(init=silu)"}
        >>> network = {"class_path": "DenseNetwork", "init_args": options}
        >>> config = {
        ...     "seed_everything": 0,
        ...     "model": {"class_path": "ClassificationTask", "init_args": {"network": network}},
        ...     "data": {"class_path": "BreastCancer", "init_args": {"val_fraction": 0.2}},
        ...     "trainer": {"max_epochs": 2},
        ... }
        >>> found = learn_then_snap(config, retrain_epochs=1, library=["x", "relu(x)", "x*sigmoid(x)"])
        >>> list(found.scores), abs(found.loss("auroc", "snapped")) < 0.05
        (['curve', 'snapped', 'retrained', 'curve, trained on'], True)
    """
    if retrain not in ("constants", "all"):
        raise InputError(f"retrain is {retrain!r}; it must be 'constants' or 'all'")
    if retrain_epochs < 1:
        raise InputError(f"retrain_epochs is {retrain_epochs}; it must be a positive integer")
    with nothing_left_behind():
        run = build_run({"kind": "network", "config": config})
        if not run.data.val_dataloader():
            raise InputError("the data have no validation rows, on which the loss is measured; set data.val_fraction")
        run.trainer(run.callbacks).fit(run.task, datamodule=run.data)
        curve = _free(run.task)
        snapped = copy.deepcopy(curve)
        report = snap_activations(snapped, run.data.train_dataloader(), **options)
        networks = {
            "curve": curve,
            "snapped": snapped,
            "retrained": _trained_on(run, snapped, retrain_epochs, retrain),
            "curve, trained on": _trained_on(run, curve, retrain_epochs, retrain),
        }
        validation = {name: _scored(run, task, "validate") for name, task in networks.items()}
        tested = {name: _scored(run, task, "test") if test else {} for name, task in networks.items()}
    sizes = {name: sum(value.numel() for value in task.parameters()) for name, task in networks.items()}
    scores = {name: Scores(validation[name], tested[name], sizes[name]) for name in networks}
    return LearnedThenSnapped(report, scores)


def _free(task: LightningModule) -> LightningModule:
    """Let go of the trainer, which cannot be copied."""
    task.trainer = None
    return task


def _trained_on(run: BuiltRun, task: LightningModule, epochs: int, retrain: Retrained) -> LightningModule:
    """Return a copy of the task that is trained further; where nothing is to be trained, as it is."""
    task = copy.deepcopy(task)
    chosen = {id(parameter) for parameter in activation_parameters(task)}
    if retrain == "constants":
        for parameter in task.parameters():
            parameter.requires_grad_(id(parameter) in chosen)
    if any(parameter.requires_grad for parameter in task.parameters()):
        callbacks = [callback for callback in run.callbacks if not isinstance(callback, EarlyStopping)]
        trainer = run.trainer(callbacks)
        trainer.fit_loop.max_epochs = epochs
        trainer.fit(task, datamodule=run.data)
    return _free(task)


def _scored(run: BuiltRun, task: LightningModule, stage: Literal["validate", "test"]) -> dict[str, float]:
    found = getattr(run.trainer([]), stage)(task, datamodule=run.data, verbose=False)
    _free(task)
    return {name.partition("/")[2]: float(value) for name, value in found[0].items()}
