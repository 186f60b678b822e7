"""Risks and survival curves of all patients of a part, with the weights as they are.

Shapes: M patients, T times.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from ...errors import InputError
from ...models import SurvivalTask

__all__ = ["Part", "Predicted", "predict_rows"]

Part = Literal["train", "validation", "test"]
_LOADERS = {"train": "train_dataloader", "validation": "val_dataloader", "test": "test_dataloader"}


@dataclass(frozen=True)
class Predicted:
    """What a task says about patients, beside what happened to them; all on the processor.

    Attributes:
        risk: (M,), higher for an earlier event.
        target: (M, 2) time and event.
        survival: (M, T) probability of being without the event at the task's `bin_ends`.

    Example:
        >>> Predicted(torch.zeros(3), torch.ones(3, 2), torch.ones(3, 4)).survival.shape
        torch.Size([3, 4])
    """

    risk: Tensor
    target: Tensor
    survival: Tensor


def predict_rows(trainer: Trainer, task: LightningModule, part: Part) -> Predicted:
    """Predict the patients who train, validate or test, in evaluation mode, without gradients.

    Patients come in the order of the part's batches: that of `data.patient_names(part)` but for training rows, which
    are shuffled.

    Args:
        trainer: The trainer, which has a data module and one process.
        task: A `SurvivalTask` with all its weights on one device.
        part: "train", "validation" or "test".

    Raises:
        InputError: If the task is another, there is no data module, or several processes share the rows.

    Example:
        >>> predict_rows(Trainer(logger=False), LightningModule(), "test")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: risks need a SurvivalTask and a data module, not LightningModule and NoneType
    """
    data: Any = getattr(trainer, "datamodule", None)
    if not isinstance(task, SurvivalTask) or data is None:
        raise InputError(
            f"risks need a SurvivalTask and a data module, not {type(task).__name__} and {type(data).__name__}"
        )
    if trainer.world_size > 1:
        raise InputError(f"risks of all patients need one process, and there are {trainer.world_size}")
    was_training = task.training
    task.eval()
    try:
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            parts = [_batch(trainer, task, batch) for batch in getattr(data, _LOADERS[part])()]
    finally:
        task.train(was_training)
    if not parts:
        raise InputError(f"the data have no {part} rows")
    return Predicted(*(torch.cat(values).float().cpu() for values in zip(*parts, strict=True)))


def _batch(trainer: Trainer, task: SurvivalTask, batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    inputs, target = trainer.strategy.batch_to_device(batch)
    outputs = task(inputs)
    return task.total_predictions(outputs), target, task.survival(outputs)
