"""From a recipe to data, task and trainer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import (
    Checkpoint,
    DeviceStatsMonitor,
    EarlyStopping,
    LearningRateMonitor,
    ModelSummary,
    ProgressBar,
)
from lightning.pytorch.utilities.seed import isolate_rng

from ...callbacks import Optogenetics, PathwayReport, SaveOnTermination, SurvivalReport, TrainingCurves
from ...datamodules import TableDataModule
from ...models import Task
from ...training.run_builder import RunBuilder
from ...training.run_defaults import default_callbacks
from .activation import activation_of
from .data_cache import data_of
from .dense import with_dense_network
from .recipe import NullRecipe

__all__ = ["BuiltRun", "build_run", "build_sibling"]

# They write files or a screen, and change no figure.
_WRITERS = (
    Checkpoint,
    DeviceStatsMonitor,
    LearningRateMonitor,
    ModelSummary,
    PathwayReport,
    ProgressBar,
    SaveOnTermination,
    SurvivalReport,
    TrainingCurves,
)


@dataclass(frozen=True)
class BuiltRun:
    """A run that is ready to train.

    Attributes:
        config: Its config.
        builder: What built it.
        task: The task.
        data: Its data, set up.
        details: What is known before the training: rows, and the quality of the draw.
        protocol: What stimulates the network beside the callbacks of the config, or None.
        is_tested: Whether it is scored on the test rows.
    """

    config: Mapping[str, Any]
    builder: RunBuilder
    task: LightningModule
    data: LightningDataModule
    details: dict[str, Any]
    protocol: Mapping[str, Any] | None = None
    is_tested: bool = True

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
        """The callbacks that decide figures: those of the config, the protocol's, and the guards of every run."""
        given = [callback for callback in self.builder.callbacks if not isinstance(callback, _WRITERS)]
        if self.protocol is not None:
            given.append(Optogenetics(dict(self.protocol), show=False))
        nothing_written = {"enable_progress_bar": False, "enable_checkpointing": False}
        guards = default_callbacks(given, nothing_written, self.task, self.data)
        return given + [callback for callback in guards if not isinstance(callback, _WRITERS)]

    def trainer(self, callbacks: list[Callback]) -> Trainer:
        """Return the trainer of the config with these callbacks."""
        return self.builder.trainer(callbacks)


def build_run(recipe: Mapping[str, Any]) -> BuiltRun:
    """Build the run of a recipe, as `axonlight fit` builds that of its config; this seeds the process.

    Raises:
        InputError: If the recipe does not fit together.
    """
    is_tested = recipe.get("test", True)
    run = replace(_build(recipe["config"], recipe.get("null")), protocol=recipe.get("protocol"), is_tested=is_tested)
    kind = "parameters" if recipe.get("floor") == "dense" else recipe.get("dense")
    if kind is None:
        return run
    # the same seed again: the dense network starts as it would with this config
    config = with_dense_network(recipe["config"], getattr(run.task, "network", None), kind)
    dense = _build(config, recipe.get("null"))
    return replace(dense, details=run.details, protocol=run.protocol, is_tested=is_tested)


def build_sibling(run: BuiltRun, null: NullRecipe | None, config: Mapping[str, Any] | None = None) -> BuiltRun:
    """Build a run with the settings of another, its own draw and its own activation, without parsing a config again.

    Args:
        run: The other run.
        null: The draw that takes the place of the hierarchy of the data, or None.
        config: The other's config but for the text that names the activation; None: the same.

    Raises:
        InputError: If the null model does not suit the data, or the text names no activation.
    """
    config = run.config if config is None else config
    if not isinstance(run.task, Task) or not isinstance(run.data, TableDataModule):
        return replace(_build(config, null), is_tested=run.is_tested)
    activation = None if config == run.config else activation_of(config)
    data, details = _data(config, null, lambda: run.data)
    seed_everything(run.builder.seed, workers=True, verbose=False)
    task = run.task.sibling(data.hierarchy, activation=activation)
    return replace(run, config=config, task=task, data=data, details=details)


def _build(config: Mapping[str, Any], null: NullRecipe | None) -> BuiltRun:
    details: dict[str, Any] = {}

    def provide(make: Callable[[], LightningDataModule]) -> LightningDataModule:
        data, found = _data(config, null, make)
        details.update(found)
        return data

    builder = RunBuilder(config)
    task, data = builder.build(provide)
    return BuiltRun(config, builder, task, data, details)


def _data(
    config: Mapping[str, Any], null: NullRecipe | None, make: Callable[[], LightningDataModule]
) -> tuple[Any, dict[str, Any]]:
    """Return the data and what is known about them."""
    # whether the data were read before must not decide which numbers the network is drawn from
    with isolate_rng():
        data, quality = data_of(config["data"], make, null)
    details: dict[str, Any] = {"null": quality} if quality else {}
    if isinstance(data, TableDataModule):
        details |= {"train_rows": len(data.rows.train), "test_rows": len(data.rows.test)}
    return data, details
