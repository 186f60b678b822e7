"""What a run has unless the config says otherwise: loggers, checkpoints, guards, progress, quiet libraries."""

import logging
import sys
import warnings
from collections.abc import Sized
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning_utilities.core.imports import RequirementCache

from ..callbacks import FiniteLoss, PlainProgress, SaveOnTermination, StepSeed
from ..models import Task

__all__ = ["default_callbacks", "default_loggers", "quieten_libraries"]

# With the URL that explains each one.
_SILENCED_WARNINGS = [
    # In-memory loaders need no worker processes. https://lightning.ai/docs/pytorch/stable/advanced/speed.html
    ".*does not have many workers.*",
    # Epoch means are logged at the end of an epoch, whatever its length.
    # https://lightning.ai/docs/pytorch/stable/common/trainer.html#log-every-n-steps
    ".*The number of training batches .* is smaller than the logging interval.*",
    # A run folder is made by the logger before checkpoints go into it; they never mix with older ones.
    # https://github.com/Lightning-AI/pytorch-lightning/pull/9615
    ".*Checkpoint directory .* exists and is not empty.*",
    # Resuming writes into a run folder of its own on purpose.
    # https://github.com/Lightning-AI/pytorch-lightning/issues/11379
    ".*The dirpath has changed from.*",
    # Without validation rows there is nothing to validate; the data module decided that.
    # https://lightning.ai/docs/pytorch/stable/common/trainer.html#trainer-class-api
    ".*You defined a `validation_step` but have no `val_dataloader`.*",
    # A data module without validation rows says so by an empty list.
    # https://lightning.ai/docs/pytorch/stable/data/datamodule.html#val-dataloader
    ".*Total length of `list` across ranks is zero.*",
    # Evaluating a checkpoint without the callbacks of its training, such as a plot of the curves, is no loss.
    # https://lightning.ai/docs/pytorch/stable/extensions/callbacks.html#save-callback-state
    ".*Be aware that when using `ckpt_path`, callbacks used to create the checkpoint.*",
    # torch 2.13 deprecates what lightning 2.6 still calls.
    # https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    # Undefined metrics are NaN with a count here. https://github.com/Lightning-AI/torchmetrics/issues/2494
    ".*No (positive|negative) samples.*",
    ".*Average precision score for one or more classes was `nan`.*",
]
_ADVERTISING = (
    "💡",
    "litlogger",
    "LitLogger",
    "litmodels",
    "GPU available",
    "TPU available",
    "HPU available",
)
_REPEATED = ("`Trainer.fit` stopped", "Restoring states from", "Loaded model weights", "Restored all states")


class _WithoutAdvertising(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not any(word in record.getMessage() for word in _ADVERTISING + _REPEATED)


def quieten_libraries() -> None:
    """Silence lines that advertise, state the absence of other accelerators, or warn of what is intended."""
    for pattern in _SILENCED_WARNINGS:
        warnings.filterwarnings("ignore", message=pattern)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.rank_zero"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, _WithoutAdvertising) for known in logger.filters):
            logger.addFilter(_WithoutAdvertising())


def default_loggers(given: Any, root: str) -> list[Logger] | bool:
    """Return the loggers of a run: CSV always and first, then those of the config, or TensorBoard where installed.

    The first logger's folder is the folder of the run; a logger without one (MLflow, W&B) cannot take that place.

    Args:
        given: The trainer's `logger` setting: None or True for the defaults, False for none, or loggers.
        root: Folder of the runs.
    """
    if given is False:
        return False
    if given is None or given is True:
        chosen: list[Logger] = []
        use_tensorboard = bool(RequirementCache("tensorboard") or RequirementCache("tensorboardX"))
    else:
        chosen = list(given) if isinstance(given, (list, tuple)) else [given]
        use_tensorboard = False
    csv = next((logger for logger in chosen if isinstance(logger, CSVLogger)), None) or CSVLogger(root, name=None)
    if use_tensorboard:
        from lightning.pytorch.loggers import TensorBoardLogger

        chosen.append(TensorBoardLogger(root, name=None, version=csv.version, default_hp_metric=False))
    return [csv, *(logger for logger in chosen if logger is not csv)]


def default_callbacks(
    given: list[Callback], trainer: dict[str, Any], model: LightningModule, data: LightningDataModule | None
) -> list[Callback]:
    """Return the callbacks that a run gets beside those of the config, leaving out kinds that it names itself."""
    candidates: list[Callback] = [StepSeed(), FiniteLoss(), SaveOnTermination()]
    if trainer.get("enable_progress_bar") is not False and not any(isinstance(c, ProgressBar) for c in given):
        candidates.append(RichProgressBar(leave=False) if sys.stdout.isatty() else PlainProgress())
    if trainer.get("enable_checkpointing") is not False:
        candidates.append(_checkpoints(model, data))
    kinds = tuple(type(callback) for callback in given)
    return [callback for callback in candidates if not isinstance(callback, kinds or ())]


def _checkpoints(model: LightningModule, data: LightningDataModule | None) -> ModelCheckpoint:
    # a LightningModule of the user's logs what it likes
    if isinstance(model, Task) and _has_validation_rows(data):
        return ModelCheckpoint(
            filename="best",
            monitor=model.monitor,
            mode=model.mode,
            save_last=True,
            enable_version_counter=False,
        )
    return ModelCheckpoint(filename="last", enable_version_counter=False)


def _has_validation_rows(data: LightningDataModule | None) -> bool:
    if data is None or not is_overridden("val_dataloader", data):
        return False
    loader = data.val_dataloader()
    return not (isinstance(loader, Sized) and len(loader) == 0)
