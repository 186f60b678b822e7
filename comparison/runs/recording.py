"""What a run keeps in memory: curves, and the best weights where it may stop early."""

import copy
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

__all__ = ["BestWeights", "CurveRecorder"]


class CurveRecorder(Callback):
    """Note the training loss and all that is measured on validation rows, once an epoch."""

    def __init__(self) -> None:
        self.curves: dict[str, list[float]] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the epoch's values; validation has already run."""
        for name, value in trainer.callback_metrics.items():
            self.curves.setdefault(name, []).append(float(value))


class BestWeights(Callback):
    """Keep the state with the best monitored value, of equal ones the first, and load it when training ends.

    A run that stops early is chosen on validation rows; the weights it ends with are only the last it tried.

    Args:
        monitor: Metric measured on validation rows.
        mode: Whether "min" or "max" is best.
    """

    def __init__(self, monitor: str, mode: str) -> None:
        self.monitor = monitor
        self.sign = 1.0 if mode == "min" else -1.0
        self.best = float("inf")
        self.epoch: int | None = None
        self._state: dict[str, Any] | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the state if it is the best so far."""
        value: Tensor | None = trainer.callback_metrics.get(self.monitor)
        if trainer.sanity_checking or value is None or self.monitor.startswith("train/"):
            return
        score = self.sign * float(value)
        if score < self.best:
            self.best, self.epoch = score, trainer.current_epoch
            self._state = copy.deepcopy(pl_module.state_dict())

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Load the best state, if there is one."""
        if self._state is not None:
            pl_module.load_state_dict(self._state)
