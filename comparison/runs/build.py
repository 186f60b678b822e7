"""From a recipe to data, task and trainer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    Checkpoint,
    DeviceStatsMonitor,
    EarlyStopping,
    LearningRateMonitor,
    ModelSummary,
    ProgressBar,
)
from lightning.pytorch.utilities.seed import isolate_rng

from ...callbacks import PathwayReport, SaveOnTermination, TrainingCurves
from ...datamodules import TableDataModule
from ...training.run_builder import RunBuilder
from ...training.run_defaults import default_callbacks
from .data_cache import data_of
from .dense import with_dense_network
from .recipe import canonical_json

__all__ = ["BuiltRun", "build_run"]

# They write files or a screen, and change no figure.
_WRITERS = (
    Checkpoint,
    DeviceStatsMonitor,
    LearningRateMonitor,
    ModelSummary,
    PathwayReport,
    ProgressBar,
    SaveOnTermination,
    TrainingCurves,
)


@dataclass(frozen=True)
class BuiltRun:
    """A run that is ready to train.

    Attributes:
        builder: What built it.
        task: The task.
        data: Its data, set up.
        details: What is known before the training: rows, and the quality of the draw.
    """

    builder: RunBuilder
    task: LightningModule
    data: LightningDataModule
    details: dict[str, Any]

    @property
    def parameters(self) -> int:
        """Number of values of the task that are trained."""
        return sum(parameter.numel() for parameter in self.task.parameters() if parameter.requires_grad)

    @property
    def early_stopping(self) -> EarlyStopping | None:
        """The early stopping of the config, or None."""
        return next((callback for callback in self.builder.callbacks if isinstance(callback, EarlyStopping)), None)

    @property
    def callbacks(self) -> list[Callback]:
        """The callbacks that decide figures: those of the config and the guards that every run has."""
        given = [callback for callback in self.builder.callbacks if not isinstance(callback, _WRITERS)]
        nothing_written = {"enable_progress_bar": False, "enable_checkpointing": False}
        guards = default_callbacks(given, nothing_written, self.task, self.data)
        return given + [callback for callback in guards if not isinstance(callback, _WRITERS)]

    def trainer(self, callbacks: list[Callback]) -> Trainer:
        """Return the trainer of the config with these callbacks."""
        return self.builder.trainer(callbacks)


def build_run(recipe: Mapping[str, Any], builders: dict[str, RunBuilder] | None = None) -> BuiltRun:
    """Build the run of a recipe, as `axonlight fit` builds that of its config; this seeds the process.

    Args:
        recipe: See `Recipe`.
        builders: Where parsed configs are kept for the next run with the same one; None keeps none.

    Raises:
        InputError: If the recipe does not fit together.
    """
    builders = {} if builders is None else builders
    run = _build(recipe["config"], recipe.get("null"), builders)
    kind = "parameters" if recipe.get("floor") == "dense" else recipe.get("dense")
    if kind is None:
        return run
    # the same seed again: the dense network starts as it would with this config
    config = with_dense_network(recipe["config"], getattr(run.task, "network", None), kind)
    dense = _build(config, recipe.get("null"), builders)
    return replace(dense, details=run.details)


def _build(config: Mapping[str, Any], null: Any, builders: dict[str, RunBuilder]) -> BuiltRun:
    quality: dict[str, Any] = {}

    def provide(make: Callable[[], LightningDataModule]) -> LightningDataModule:
        # whether the data were read before must not decide which numbers the network is drawn from
        with isolate_rng():
            data, found = data_of(config["data"], make, null)
        quality.update(found)
        return data

    key = canonical_json(config)
    if key not in builders:
        builders[key] = RunBuilder(config)
    task, data = builders[key].build(provide)
    details: dict[str, Any] = {"null": quality} if quality else {}
    if isinstance(data, TableDataModule):
        details |= {"train_rows": len(data.rows.train), "test_rows": len(data.rows.test)}
    return BuiltRun(builders[key], task, data, details)
