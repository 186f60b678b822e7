"""Many ordinary tasks, trained as one.

Legend of shapes: R replicas, B batch, F features, H heads, O outputs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ...errors import InputError
from ...randomness import derive_seed
from ..head_outputs import HeadOutputs
from ..tasks.non_finite import loss_failure
from ..tasks.optimization import check_batch, check_groups, parameter_groups
from ..tasks.task import Task
from .activations import StackedActivation
from .checkpoint import save_task
from .evaluation import Evaluation
from .losses import replica_losses
from .mixed import MixedActivation
from .progress import Progress, RunningMean
from .replicas import Replicas
from .rows import clear_optimizer, clip_norms
from .stopping import ReplicaStopping

__all__ = ["ReplicaTask"]

# Each entry of a parameter is moved by its own gradient alone, so replicas cannot disturb one another.
_ELEMENTWISE = ("ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD")

Outputs = Tensor | HeadOutputs


class ReplicaTask(LightningModule):
    """Train many tasks side by side in one process on the same batches, each as it would train alone.

    The tasks differ in their networks alone: edges, initial values, activations. Loss, predictions, metrics,
    optimizer and scheduler are those of the tasks. A replica draws the dropout that it would draw alone with the
    callback `StepSeed`, stops early by itself (its best weights are kept, as a checkpoint would keep them), and if its
    loss is no longer a number it ends with the sentence of the callback `FiniteLoss` while the others go on; neither of
    the two callbacks is needed here.

    Args:
        tasks: The tasks, as they would be trained alone; afterwards `task(i)` gives each with its trained network.
        seeds: What `seed_everything` would be for each, or one seed for all; this decides dropout, not the order of
            rows, which the data module decides for all.
        early_stopping: The early stopping that each would have, or None.
        check_every_n_steps: How often to look whether losses are numbers; None: always on the CPU, else every tenth.

    Raises:
        InputError: If the tasks are of several classes, their networks cannot be stacked, or the optimizer mixes
            entries of a parameter or the scheduler waits for a metric.

    Example:
        >>> from functools import partial
        >>> from axonlight.models import ClassificationTask, DenseNetwork, ReplicaTask
        >>> tasks = []
        >>> for seed in (1, 2):
        ...     _ = torch.manual_seed(seed)
        ...     tasks.append(ClassificationTask(partial(DenseNetwork, hidden=[8]), in_features=30))
        >>> task = ReplicaTask(tasks, seeds=[1, 2])
        >>> task(torch.zeros(4, 30)).shape
        torch.Size([2, 4, 1])
    """

    _active: Tensor

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seeds: Sequence[int] | int,
        early_stopping: EarlyStopping | None = None,
        check_every_n_steps: int | None = None,
    ) -> None:
        super().__init__()
        seeds = [seeds] * len(tasks) if isinstance(seeds, int) else list(seeds)
        _check(tasks, seeds)
        self.replicas = Replicas([task.network for task in tasks], copy_networks=False)
        self.seeds = seeds
        self.check_every_n_steps = check_every_n_steps
        # A plain tuple: their own networks and metrics are no part of this module.
        self._tasks = tuple(tasks)
        self._stopping = None if early_stopping is None else ReplicaStopping(early_stopping, len(tasks))
        self.progress = [Progress() for _ in tasks]
        self._batch: tuple[Tensor, Tensor] | None = None
        self._losses = torch.zeros(len(tasks))
        self._training_loss = RunningMean(torch.float64)
        self._validation, self._test = Evaluation("val"), Evaluation("test")
        self.register_buffer("_active", torch.ones(len(tasks), dtype=torch.bool), persistent=False)
        self.configure_optimizers()  # a bad setting is an error here and now

    @property
    def num_replicas(self) -> int:
        """Number of replicas R."""
        return len(self._tasks)

    def forward(self, x: Tensor) -> Outputs:
        """Map a batch (B, F) to the outputs of all replicas, (R, B, O) or (H, R, B, O)."""
        return self.replicas(x)

    def losses(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Return the loss of every replica, (R,), from outputs of all and the targets (B,) that they share."""
        return replica_losses(self._tasks[0], outputs, target)

    def targets_of(self, target: Tensor, which: slice) -> Tensor:
        """Return the part of a batch's targets that some of the replicas learn from: all of it, which they share."""
        return target

    # Training --------------------------------------------------------------------------------------------------

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the dropout of every replica as `StepSeed` seeds it alone."""
        place = (self.current_epoch, batch_idx, self.trainer.global_rank)
        self.replicas.seed_step([derive_seed(seed, "step", *place) for seed in self.seeds])

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Keep the batch for `backward`, where losses and gradients are found block by block; 1 stands for the loss."""
        check_batch(self.replicas, len(batch[0]))
        self._batch = batch
        return torch.ones((), device=self.device)

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Add the gradients of all active replicas; `loss` is the factor of accumulation and mixed precision."""
        assert self._batch is not None  # noqa: S101
        (x, target), parts = self._batch, {}

        def masked(outputs: Outputs, which: slice) -> Tensor:
            losses = self.losses(outputs, self.targets_of(target, which))
            parts[which.start] = losses.detach()  # several threads may be here
            return torch.where(self._active[which], losses, 0.0) * loss.to(losses.dtype)

        self.replicas.backward(x, masked)
        self._losses = torch.cat([parts[start] for start in sorted(parts)])
        self._training_loss.add(self._losses, len(x))

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradient of every replica by its own norm."""
        if gradient_clip_val is None or gradient_clip_algorithm == "value":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        else:
            clip_norms(self.replicas.stacked, self.num_replicas, float(gradient_clip_val))

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Fail the replicas whose loss is no number; note the epoch's training losses."""
        interval = self.check_every_n_steps or (1 if self.device.type == "cpu" else 10)
        if (batch_idx + 1) % interval == 0 or self.trainer.is_last_batch:
            wrong = self._active & ~torch.isfinite(self._losses)
            if bool(wrong.any()):
                for replica in wrong.nonzero().flatten().tolist():
                    self._fail(replica, batch, batch_idx)
        if self.trainer.is_last_batch:
            means = self._training_loss.take()
            self.log("train/loss", means[self._active].mean(), prog_bar=True, on_step=False, on_epoch=True)
            for replica, mean in zip(self._running(), means[self._active].tolist(), strict=True):
                self.progress[replica].note({"train/loss": mean})

    def _fail(self, replica: int, batch: Any, batch_idx: int) -> None:
        task = self.task(replica).train()
        loss = float(self._losses[replica])
        self.progress[replica].error = loss_failure(loss, self.current_epoch, batch_idx, task, batch)
        self._end(replica)
        # Numbers again, although nobody asks for them: what is none would stay so, and make every sum none.
        state = self.replicas.state(replica)
        self.replicas.load(
            replica,
            {name: torch.zeros_like(value) if value.is_floating_point() else value for name, value in state.items()},
        )
        for optimizer in self.trainer.optimizers:
            clear_optimizer(self.replicas.stacked, self.num_replicas, optimizer, replica)

    def _end(self, replica: int) -> None:
        """Let a replica learn nothing any more; the run ends with the last of them."""
        self._active[replica] = False
        self.progress[replica].epochs = self.current_epoch + 1
        self.trainer.should_stop = self.trainer.should_stop or not bool(self._active.any())

    def _running(self) -> list[int]:
        return self._active.nonzero().flatten().tolist()

    def on_train_epoch_end(self) -> None:
        """Stop the replicas whose patience is over, where the rule is looked at now."""
        if self._stopping is not None and self._stopping.checks_after_training(self.trainer):
            self._stop_early(self._stopping)

    def on_validation_end(self) -> None:
        """Keep the weights of the replicas that are at their best; stop those whose patience is over."""
        if self._stopping is None or not self._is_fitting:
            return
        for replica in self._running():
            progress = self.progress[replica]
            if self._stopping.is_best(replica, progress.latest):
                progress.best_epoch, progress.best_state = self.current_epoch, self.replicas.state(replica)
        if not self._stopping.checks_after_training(self.trainer):
            self._stop_early(self._stopping)

    def _stop_early(self, stopping: ReplicaStopping) -> None:
        for replica in self._running():
            if stopping.should_stop(replica, self.progress[replica].latest):
                self.progress[replica].stopped = True
                self._end(replica)

    def on_train_end(self) -> None:
        """Give every replica its best weights, where it could stop early, and its number of epochs."""
        for replica, progress in enumerate(self.progress):
            if progress.best_state is not None and progress.error is None:
                self.replicas.load(replica, progress.best_state)
            if self._active[replica]:
                progress.epochs = self.trainer.current_epoch

    # Evaluation ------------------------------------------------------------------------------------------------

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep the outputs of a batch of validation rows."""
        self._evaluate(self._validation, batch)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep the outputs of a batch of test rows."""
        self._evaluate(self._test, batch)

    def _evaluate(self, evaluation: Evaluation, batch: tuple[Tensor, Tensor]) -> None:
        x, target = batch
        outputs = self(x)
        evaluation.add(outputs, target, self.losses(outputs, target))

    def on_validation_epoch_end(self) -> None:
        """Note loss and metrics of every running replica, and log their mean loss."""
        found = self._validation.take(self._tasks, self._running())
        if self._is_fitting:
            for replica, values in found.items():
                self.progress[replica].note(values)
        self._log_mean("val/loss", found)

    def on_test_epoch_end(self) -> None:
        """Note loss and metrics of every replica that has not failed, and log their mean loss."""
        good = [replica for replica, progress in enumerate(self.progress) if progress.error is None]
        found = self._test.take(self._tasks, good)
        for replica, values in found.items():
            self.progress[replica].scores = values
        self._log_mean("test/loss", found)

    @property
    def _is_fitting(self) -> bool:
        return self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking

    def _log_mean(self, name: str, found: dict[int, dict[str, float]]) -> None:
        losses = [values[name] for values in found.values()]
        self.log(name, sum(losses) / len(losses) if losses else float("nan"), prog_bar=True)

    # Optimisation ----------------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Show the tasks the data, and bring their metrics to the device of the replicas.

        Raises:
            InputError: With several processes, whose gradients nobody would add up.
        """
        if self.trainer.world_size > 1:
            raise InputError(f"replicas were given {self.trainer.world_size} processes; set trainer.devices to 1")
        for task in self._tasks:
            task.use_data(getattr(self.trainer, "datamodule", None))
            task.to(self.device)

    def configure_optimizers(self) -> Any:
        """Build one optimizer over the values of all replicas, by the template's settings, and its scheduler."""
        template = self._tasks[0]
        leaves = [
            module for module in self.replicas.modules() if isinstance(module, StackedActivation | MixedActivation)
        ]
        activations = [parameter for leaf in leaves for parameter in leaf.parameters()]
        optimizer = template.optimizer(parameter_groups(self.replicas, template.activation_lr, activations))
        if type(optimizer).__name__ not in _ELEMENTWISE or not type(optimizer).__module__.startswith("torch.optim"):
            raise InputError(
                f"the optimizer is {type(optimizer).__name__}, which may mix replicas; take one of "
                f"{', '.join(_ELEMENTWISE)}, or train the tasks one by one"
            )
        if template.scheduler is None:
            return optimizer
        scheduler = template.scheduler(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau):
            raise InputError(
                f"the scheduler is {type(scheduler).__name__}, which waits for one metric where every replica has its "
                "own; take one that counts epochs or steps, or train the tasks one by one"
            )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": template.scheduler_interval},
        }

    def on_train_start(self) -> None:
        """Check that the optimizer holds every trainable parameter exactly once."""
        check_groups(self.replicas, self.trainer.optimizers)

    # One replica -----------------------------------------------------------------------------------------------

    def results(self) -> list[dict[str, Any]]:
        """Return curves, test scores, epochs, best epoch and error of every replica."""
        return [progress.to_dict() for progress in self.progress]

    def task(self, replica: int) -> Task:
        """Return the task of one replica with the weights that it has now.

        Raises:
            InputError: If there is no such replica.
        """
        task = self._tasks[replica] if 0 <= replica < self.num_replicas else None
        if task is None:
            raise InputError(f"replica is {replica}; there are {self.num_replicas}, numbered from 0")
        task.network = self.replicas.network(replica)
        return task

    def save_replica(self, replica: int, path: str | Path, data: LightningDataModule | None = None) -> None:
        """Write one replica as a checkpoint of its task, as if it had been trained alone.

        Args:
            replica: Its number.
            path: The file.
            data: The data module that it was trained on, so that `axonlight test --ckpt_path` needs nothing else.

        Raises:
            InputError: If there is no such replica.
        """
        save_task(self.task(replica), path, data)


def _check(tasks: Sequence[Task], seeds: Sequence[int]) -> None:
    if not tasks:
        raise InputError("there are no tasks; give at least one")
    if len(seeds) != len(tasks):
        raise InputError(f"seeds lists {len(seeds)} seeds for {len(tasks)} tasks; give one each")
    kinds = sorted({type(task).__name__ for task in tasks})
    if len(kinds) > 1:
        raise InputError(f"the tasks are of the classes {', '.join(kinds)}; replicas share one loss and one class")
