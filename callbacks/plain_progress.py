"""Progress for logs and pipes: one line an epoch."""

import time

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

__all__ = ["PlainProgress"]


class PlainProgress(ProgressBar):
    """Print one line at the end of every training epoch, with the metrics that the progress bar would show.

    Used instead of the bar where the output is not a terminal: a log file then holds no control characters.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[PlainProgress()], logger=False, enable_checkpointing=False)
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._started = time.monotonic()

    def disable(self) -> None:
        """Stop printing (Lightning calls this on every rank but the first)."""
        self._enabled = False

    def enable(self) -> None:
        """Print again."""
        self._enabled = True

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's line."""
        if not self._enabled:
            return
        values = {name: value for name, value in self.get_metrics(trainer, pl_module).items() if name != "v_num"}
        shown = "  ".join(f"{name} {value:.4f}" for name, value in values.items() if isinstance(value, float))
        total = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
        seconds = time.monotonic() - self._started
        print(f"epoch {trainer.current_epoch + 1}{total}  {shown}  {seconds:.1f} s", flush=True)
