"""End a run whose loss is no longer a number, and say where it happened."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from ..errors import RunError
from ..models.tasks.non_finite import loss_failure

__all__ = ["FiniteLoss"]


class FiniteLoss(Callback):
    """Fail the run as soon as a training loss is NaN or infinite, naming the first layer that is not finite.

    Left alone, a Lightning run with a NaN loss goes on and ends as finished, with NaN weights.

    Args:
        every_n_steps: How often to look. On an accelerator each look waits for the device, so 1 on the CPU and
            a larger number there; None chooses 1 on the CPU and 10 elsewhere. Nothing escapes: a NaN weight
            keeps every later loss NaN, and the last batch of an epoch is always looked at. Beside an
            `ActivationDoctor` that leaves such steps out, it lets them pass.

    Raises:
        RunError: When the loss is not finite.

    Example:
        >>> FiniteLoss(every_n_steps=5).every_n_steps
        5
    """

    def __init__(self, every_n_steps: int | None = None) -> None:
        self.every_n_steps = every_n_steps

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the loss of the batch that just ended."""
        interval = self.every_n_steps or (1 if pl_module.device.type == "cpu" else 10)
        if (batch_idx + 1) % interval and not trainer.is_last_batch:
            return
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is None or bool(torch.isfinite(loss).all()):
            return
        if any(getattr(callback, "leaves_steps_out", False) for callback in trainer.callbacks):  # type: ignore[attr-defined]
            return  # the weights never saw it
        raise RunError(loss_failure(float(loss), trainer.current_epoch, batch_idx, pl_module, batch))
