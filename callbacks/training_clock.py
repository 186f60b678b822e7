"""How far training has come, as the trainer tells it, for light to go by."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from ..errors import RunError
from ..models import Task
from ..stimulation import Clock
from ..stimulation.batches import count_tokens, number_of_samples
from ..stimulation.clock import Phase

__all__ = ["TrainingClock", "logged_metrics"]


class TrainingClock:
    """Counts samples and tokens; keeps the loss and the metrics that lights read.

    The device is asked for loss and metrics only where they are wanted.

    Args:
        wants: What lights look at, see `Conductor.wants`.
        mean_over_ranks: Returns the mean of a tensor over all processes.

    Attributes:
        now: The clock of the last batch.
    """

    def __init__(self, wants: Iterable[str], mean_over_ranks: Callable[[Tensor], Tensor]) -> None:
        wants = set(wants)
        self.wants_loss = "loss" in wants
        self.metrics = sorted(text.removeprefix("metric:") for text in wants if text.startswith("metric:"))
        self.mean_over_ranks = mean_over_ranks
        self.now = Clock()
        self._samples = self._tokens = self._evaluated = 0
        self._loss: Tensor | None = None
        self._values: dict[str, float] = {}

    def begin(self, trainer: Trainer, batch: Mapping[str, Tensor], batch_idx: int | None) -> tuple[Clock, int, int]:
        """Return the clock of a training batch and the rank and number of ranks that its samples are numbered by.

        Args:
            trainer: The trainer.
            batch: The batch.
            batch_idx: Its number in the epoch; None where it is part of what the loader gave.
        """
        first, rank, world, total = _share(trainer, trainer.train_dataloader, number_of_samples(batch), batch_idx)
        self.now = self._read(trainer, "train")
        clock = replace(self.now, first_row=self._samples + first, rows=total)
        self._samples += total
        self._tokens += count_tokens(batch) * trainer.world_size
        return clock, rank, world

    def standing(
        self, trainer: Trainer, phase: Phase, batch: Mapping[str, Tensor], batch_idx: int
    ) -> tuple[Clock, int, int]:
        """Return the same for a batch outside training: the clock stands where training stands, or where it ended.

        Args:
            trainer: The trainer.
            phase: What the batch is for.
            batch: The batch.
            batch_idx: Its number in this pass through the samples.
        """
        loaders = {"validate": trainer.val_dataloaders, "test": trainer.test_dataloaders}
        loader = loaders.get(phase, trainer.predict_dataloaders)
        first, rank, world, total = _share(trainer, loader, number_of_samples(batch), batch_idx)
        before = self._evaluated if batch_idx else 0
        self._evaluated = before + total
        clock = replace(self.now, samples=self._samples, tokens=self._tokens, phase=phase)
        if trainer.state.fn == "fit":
            clock = self._read(trainer, phase)
        return replace(clock, first_row=before + first, rows=total), rank, world

    def _read(self, trainer: Trainer, phase: Phase) -> Clock:
        return Clock(
            step=trainer.global_step,
            epoch=trainer.current_epoch,
            samples=self._samples,
            tokens=self._tokens,
            loss=None if self._loss is None else float(self._loss),
            metrics=self._read_metrics(trainer),
            phase=phase,
        )

    def _read_metrics(self, trainer: Trainer) -> dict[str, float]:
        if self.metrics:
            logged = trainer.callback_metrics
            fresh = [name for name in self.metrics if name in logged]
            if fresh:
                values = torch.stack([logged[name].detach().float() for name in fresh])
                values = self.mean_over_ranks(values.to(trainer.strategy.root_device))
                self._values.update(zip(fresh, values.tolist(), strict=True))
        return dict(self._values)

    def end(self, trainer: Trainer, outputs: Any) -> None:
        """Keep the loss of a training batch, as the trainer gives it."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if self.wants_loss and isinstance(loss, Tensor):
            # Lightning divides the loss by the number of batches whose gradients are added up
            self.keep_loss(loss * trainer.accumulate_grad_batches)

    def keep_loss(self, loss: Tensor) -> None:
        """Keep the loss of an update, where a light reads it."""
        if self.wants_loss:
            self._loss = self.mean_over_ranks(loss.detach())

    def check_metrics(self, trainer: Trainer) -> None:
        """Check that every metric that a light goes by was logged by now.

        Raises:
            RunError: If one was not.
        """
        logged = trainer.callback_metrics
        for name in self.metrics:
            if name not in logged and name not in self._values:
                raise RunError(
                    f"a light goes by the metric {name!r}, which nothing has logged so far; logged were "
                    f"{', '.join(sorted(logged)) or 'none'}"
                )

    def stand_at(self, step: int, epoch: int) -> None:
        """Stand where the training of a checkpoint ended."""
        self.now = replace(self.now, step=step, epoch=epoch)

    def state_dict(self, trainer: Trainer | None) -> dict[str, Any]:
        """Return counts, loss and the metrics as they are now, as plain data."""
        logged = {} if trainer is None else trainer.callback_metrics
        fresh = {name: float(logged[name]) for name in self.metrics if name in logged}
        return {
            "samples": self._samples,
            "tokens": self._tokens,
            "loss": None if self._loss is None else float(self._loss),
            "metrics": {**self._values, **fresh},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._samples, self._tokens = state["samples"], state["tokens"]
        self._loss = None if state["loss"] is None else torch.tensor(state["loss"])
        self._values = dict(state["metrics"])


def _share(trainer: Trainer, loader: Any, rows: int, batch_idx: int | None) -> tuple[int, int, int, int]:
    """Return how the samples of this rank are numbered within the batch of all ranks.

    Returns:
        The number of the first one, rank and number of ranks as `Conductor.begin` takes them, samples of all ranks.
    """
    rank, world = trainer.global_rank, trainer.world_size
    if world == 1 or loader is None or not hasattr(loader, "world_size"):
        return 0, rank, world, rows * world
    # a loader of global batches, of which every rank has a consecutive part
    total, number = rows * world, getattr(loader, "num_rows", None)
    if number is not None and batch_idx is not None:
        total = max(min(loader.batch_size, number - batch_idx * loader.batch_size), world)
    return total * rank // world, 0, 1, total


def logged_metrics(module: Any) -> set[str] | None:
    """Return the names of all metrics that a task of this package logs; None where only a run can tell.

    Example:
        >>> from axonlight.models import DenseNetwork, RegressionTask
        >>> "val/r2" in logged_metrics(RegressionTask(DenseNetwork, in_features=30))
        True
    """
    own = type(module).__module__.partition(".")[0] == __name__.partition(".")[0]
    return set(module.logged_metrics) if own and isinstance(module, Task) else None
