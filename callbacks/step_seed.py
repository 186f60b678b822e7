"""Random numbers of a training step that depend on nothing but the run's seed, the step and the rank."""

import random

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from ..randomness import derive_seed, global_seed

__all__ = ["StepSeed"]


class StepSeed(Callback):
    """Seed Python, NumPy and torch at the start of every training batch.

    Lightning's checkpoints hold no random state, so a resumed run would draw other dropout masks. Seeded by
    (seed, epoch, batch, rank), a step draws the same numbers whether the run was stopped before it or not, and
    however often validation ran in between.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[StepSeed()], logger=False, enable_checkpointing=False)
    """

    def __init__(self) -> None:
        self._seed = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take up the seed that `seed_everything` set."""
        self._seed = global_seed()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Seed all generators for this batch."""
        seed = derive_seed(self._seed, "step", trainer.current_epoch, batch_idx, trainer.global_rank)
        # The generators themselves: torch.manual_seed also queues the seed, with a formatted traceback, for every
        # accelerator that is not initialised, which costs more than a small network's step.
        torch.default_generator.manual_seed(seed)
        if pl_module.device.type != "cpu":
            torch.get_device_module(pl_module.device).manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  (user code may draw from the global generator)
