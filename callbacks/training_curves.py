"""Draw the run's curves into its folder."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from ..plots.training import draw_training_curves

__all__ = ["TrainingCurves"]


class TrainingCurves(Callback):
    """Collect the epoch's metrics and draw them to a PNG in the run folder when training ends.

    Args:
        filename: Name of the picture.

    Example:
        >>> TrainingCurves().filename
        'curves.png'
    """

    def __init__(self, filename: str = "curves.png") -> None:
        self.filename = filename
        self._curves: dict[str, list[tuple[int, float]]] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the metrics of the epoch; validation has already run."""
        for name, value in trainer.callback_metrics.items():
            self._curves.setdefault(name, []).append((trainer.current_epoch, float(value)))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        folder = trainer.log_dir  # asked for on every rank: it is broadcast
        if trainer.is_global_zero and folder and self._curves:
            Path(folder).mkdir(parents=True, exist_ok=True)
            draw_training_curves(self._curves, Path(folder) / self.filename)

    def state_dict(self) -> dict:
        """Keep the curves, so that a resumed run draws all of its epochs."""
        return {"curves": self._curves}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take up the curves of the run that is resumed."""
        self._curves = {name: [tuple(pair) for pair in pairs] for name, pairs in state_dict["curves"].items()}
