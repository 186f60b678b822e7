"""Save a checkpoint when the scheduler of a cluster, or a person, ends the run by SIGTERM."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

__all__ = ["SaveOnTermination"]


class SaveOnTermination(Callback):
    """Write ``last.ckpt`` at the batch boundary after SIGTERM, so that the run can be resumed exactly there.

    Lightning notes the signal and raises at the next batch boundary; by then all loop counters are consistent.
    Saving there, and not inside the signal handler, cannot catch a step half done. The file is written beside its
    place and renamed, so a second signal leaves the former checkpoint whole.

    Example:
        >>> SaveOnTermination().saved is None
        True
    """

    def __init__(self) -> None:
        self.saved: Path | None = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save when the exception is Lightning's reaction to SIGTERM."""
        if not isinstance(exception, SIGTERMException) or not trainer.training:
            return
        checkpoint = next((c for c in trainer.callbacks if isinstance(c, ModelCheckpoint)), None)  # type: ignore[attr-defined]
        folder = (checkpoint.dirpath if checkpoint else None) or trainer.default_root_dir
        path = Path(folder) / "last.ckpt"
        trainer.save_checkpoint(path)
        self.saved = path
