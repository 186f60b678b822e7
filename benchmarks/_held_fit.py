"""A Lightning fit that is held between training steps, so that it can be timed in turns with other loops."""

import logging
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer

__all__ = ["HeldFit"]


class _Gate(Callback):
    """Waits for a turn before every training step."""

    def __init__(self) -> None:
        self.turns, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.leaving = False

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> int | None:
        self.turns.acquire()
        if self.leaving:
            trainer.should_stop = True
            return -1  # skips what is left of the epoch
        return None

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self.done.release()


class HeldFit:
    """`Trainer.fit` without logger, checkpoints, progress bar and validation, in a thread that waits between steps.

    Args:
        task: What is trained.
        data: Its data.
        threads: Threads of torch in that thread.
        callbacks: Callbacks beside the one that waits.
    """

    def __init__(
        self, task: LightningModule, data: LightningDataModule, threads: int, callbacks: Sequence[Callback] = ()
    ) -> None:
        self.gate = _Gate()
        self.error: BaseException | None = None
        options: dict[str, Any] = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

        def fit() -> None:
            torch.set_num_threads(threads)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    trainer = Trainer(
                        max_epochs=-1,
                        limit_val_batches=0,
                        enable_model_summary=False,
                        accelerator="cpu",
                        callbacks=[self.gate, *callbacks],
                        **options,
                    )
                    trainer.fit(task, data)
            except BaseException as error:
                self.error = error
                self.gate.done.release(10_000)

        self.thread = threading.Thread(target=fit, daemon=True)
        self.thread.start()

    def steps(self, number: int) -> None:
        """Make so many training steps."""
        self.gate.turns.release(number)
        for _ in range(number):
            self.gate.done.acquire()
        if self.error is not None:
            raise self.error

    def end(self) -> None:
        """End the fit."""
        self.gate.leaving = True
        self.gate.turns.release()
        self.thread.join(timeout=30)
