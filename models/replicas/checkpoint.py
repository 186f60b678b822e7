"""Checkpoints of a task that no trainer of its own has seen."""

import copy
import logging
from pathlib import Path

from lightning.pytorch import LightningDataModule, Trainer

from ..tasks.task import Task

__all__ = ["save_task"]


def save_task(task: Task, path: str | Path, data: LightningDataModule | None = None) -> None:
    """Write weights and hyperparameters of a task, and of its data, as Lightning's trainer writes them.

    Args:
        task: The task.
        path: The file.
        data: Its data module, or None.
    """
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.ERROR)  # a trainer that trains nothing need not list devices
    try:
        trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    finally:
        log.setLevel(level)
    own, task.trainer = task._trainer, trainer
    try:
        trainer.strategy.connect(task)
        if data is not None:
            trainer._data_connector.attach_datamodule(task, copy.copy(data))
        trainer.save_checkpoint(path, weights_only=True)
    finally:
        task._trainer = own
