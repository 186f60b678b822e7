"""What all tasks share: build the network, optimise it, log the loss, keep the rules.

Shapes: B batch, F features.
"""

import copy
import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Self

import torch
from lightning.fabric.utilities.data import AttributeDict
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import ReduceLROnPlateau
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters, _given_hyperparameters_context
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric, MetricCollection

from ...errors import InputError
from ...structures import Hierarchy
from ..auxiliary_losses import auxiliary_losses
from ..head_outputs import HeadOutputs
from .hyperparameters import plain_hyperparameters, with_activation
from .optimization import check_batch, check_gradients, check_groups, parameter_groups

__all__ = ["NetworkFactory", "OptimizerFactory", "SchedulerFactory", "Task"]

log = logging.getLogger(__name__)

NetworkFactory = Callable[[int, int], nn.Module]
OptimizerFactory = Callable[[Iterable], Optimizer]
SchedulerFactory = Callable[[Optimizer], LRScheduler | ReduceLROnPlateau]

# Enough for a parameter that only some batches reach; few enough to fail before time is spent.
WATCHED_STEPS = 3


class Task(LightningModule):
    """Base of the tasks. A subclass says what the outputs mean: `loss`, `predictions` and `metrics`.

    Attributes:
        monitor: Metric that selects the best checkpoint where there are validation rows.
        mode: Whether smaller ("min") or larger ("max") values of it are better.

    Example:
        >>> from axonlight.models import DenseNetwork, RegressionTask
        >>> task = RegressionTask(DenseNetwork, in_features=30)
        >>> isinstance(task, Task), task.monitor, task.mode
        (True, 'val/loss', 'min')
    """

    monitor: str = "val/loss"
    mode: Literal["min", "max"] = "min"

    def __init__(
        self,
        network: NetworkFactory,
        in_features: int,
        out_features: int,
        feature_names: list[str] | None,
        hierarchy: Hierarchy | None,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None,
        scheduler_interval: Literal["epoch", "step"],
        activation_lr: float | None,
        compile_network: bool,
        modality_sizes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.scheduler_interval = scheduler_interval
        self.activation_lr = activation_lr
        self.compile_network = compile_network
        self.feature_names = feature_names
        self._build_network = functools.partial(
            build_network, network, in_features, out_features, feature_names, modality_sizes=modality_sizes
        )
        # That of the data may be meant for other networks.
        self._takes_hierarchy = "hierarchy" in accepted_names(network)
        self.hierarchy = hierarchy if self._takes_hierarchy else None
        self.network = self._build_network(hierarchy)
        # A throwaway optimizer: a bad learning rate is an error here and now, not after the run has begun.
        self._build_optimizer()
        self.val_metrics = self.metrics().clone(prefix="val/")
        self.val_loss = MeanMetric()
        self.test_metrics = self.metrics().clone(prefix="test/")
        self.test_loss = MeanMetric()
        self._adds_losses = any(hasattr(module, "auxiliary_losses") for module in self.network.modules())
        self._learned: set[str] = set()
        self._steps_seen = 0
        # Plain tensors rather than self.log: one logged value per step costs as much as a small network's step.
        self._loss_sum = torch.zeros((), dtype=torch.float64)
        self._loss_rows = 0

    # What a subclass decides -----------------------------------------------------------------------------------

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of a batch."""
        raise NotImplementedError

    def predictions(self, outputs: Tensor) -> Tensor:
        """Turn network outputs into what the metrics and the user read."""
        raise NotImplementedError

    @property
    def logged_metrics(self) -> frozenset[str]:
        """Names of all that is logged while it trains; a subclass that logs more says so here."""
        return frozenset({"train/loss", "val/loss", *map(str, self.val_metrics.keys(keep_base=False))})

    def metrics(self) -> MetricCollection:
        """Return the metrics of one split."""
        raise NotImplementedError

    def sibling(self, hierarchy: Hierarchy | None = None, *, activation: Any = None) -> Self:
        """Return a task with these settings and a new network, which the next random numbers initialise.

        Much faster than another task; the two share their metrics, so they are not to be evaluated in turns.

        Args:
            hierarchy: What the new network is built on; None: what this one is.
            activation: Spec of the new network's activations, or a list of one per layer; None: as here.

        Raises:
            InputError: If the spec cannot be read, or the network has no activation to choose.

        Example:
            >>> from axonlight.models import ClassificationTask, DenseNetwork
            >>> task = ClassificationTask(DenseNetwork, in_features=30)
            >>> task.sibling(activation="formula(x*cos(x))").network.layers[2].text
            'x*cos(x)'
        """
        hierarchy = self.hierarchy if hierarchy is None else hierarchy
        other = copy.copy(self)
        if activation is not None:
            other._choose_activation(activation)
        other._modules = {**self._modules, "network": other._build_network(hierarchy)}
        other.hierarchy = hierarchy if self._takes_hierarchy else None
        other._learned, other._steps_seen = set(), 0
        return other

    def _choose_activation(self, activation: Any) -> None:
        """Build networks with this activation from now on, and say so in the hyperparameters."""
        network, *sizes = self._build_network.args
        if "activation" not in accepted_names(network):
            raise InputError("an activation is given, but the network has no argument activation")
        chosen = functools.partial(network, activation=activation)
        self._build_network = functools.partial(build_network, chosen, *sizes, **self._build_network.keywords)
        self._hparams = AttributeDict(with_activation(self.hparams, activation))

    @property
    def running_loss(self) -> tuple[Tensor, int]:
        """Sum of the training loss over the epoch's rows so far, and their number; what leaves a step out resets it."""
        return self._loss_sum, self._loss_rows

    @running_loss.setter
    def running_loss(self, value: tuple[Tensor, int]) -> None:
        self._loss_sum, self._loss_rows = value

    # What several heads add ------------------------------------------------------------------------------------

    def total_loss(self, outputs: Tensor | HeadOutputs, target: Tensor) -> Tensor:
        """Return the mean loss of a batch: that of the one head, or the weighted sum over several."""
        if not isinstance(outputs, HeadOutputs):
            return self.loss(outputs, target)
        losses = torch.stack([self.loss(head, target) for head in outputs.outputs])
        return (losses * outputs.loss_weights).sum()

    def total_predictions(self, outputs: Tensor | HeadOutputs) -> Tensor:
        """Return the predictions of the one head, or the weighted mean of the predictions of several."""
        if not isinstance(outputs, HeadOutputs):
            return self.predictions(outputs)
        predictions = torch.stack([self.predictions(head) for head in outputs.outputs])
        mean = torch.tensordot(outputs.prediction_weights.to(predictions.dtype), predictions, dims=1)
        # A mean of probabilities must not exceed 1 by rounding: metrics would take it for a logit.
        return mean.clamp(predictions.amin(dim=0), predictions.amax(dim=0))

    # Steps -----------------------------------------------------------------------------------------------------

    def forward(self, x: Tensor) -> Tensor | HeadOutputs:
        """Map a batch (B, F) to network outputs."""
        return self.network(x)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch; the epoch's mean is logged as ``train/loss``."""
        x, target = batch
        check_batch(self.network, len(target))
        loss = self.total_loss(self(x), target)
        if self._adds_losses:
            loss = sum(auxiliary_losses(self.network).values(), start=loss)
        self._loss_sum = self._loss_sum.to(loss.device) + loss.detach() * len(target)
        self._loss_rows += len(target)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log the mean training loss over the epoch's rows, early enough for callbacks to see it."""
        if not self.trainer.is_last_batch:
            return
        total = torch.tensor([self._loss_sum, self._loss_rows], dtype=torch.float64, device=self._loss_sum.device)
        total = self.trainer.strategy.reduce(total, reduce_op="sum")
        self.log(
            "train/loss",
            (total[0] / total[1]).float(),
            sync_dist=True,
            prog_bar=True,
            on_step=False,
            on_epoch=True,
            batch_size=len(batch[-1]),  # that of inputs of several modalities cannot be told from their tensors
        )
        self._loss_sum, self._loss_rows = torch.zeros_like(self._loss_sum), 0

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the validation loss and metrics."""
        self._evaluate(batch, self.val_metrics, self.val_loss)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the test loss and metrics."""
        self._evaluate(batch, self.test_metrics, self.test_loss)

    def predict_step(self, batch: tuple[Tensor, Tensor] | Tensor, batch_idx: int) -> Tensor:
        """Return predictions for a batch."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        return self.total_predictions(self(x))

    def on_validation_epoch_end(self) -> None:
        """Log the validation loss and metrics."""
        self._log_metrics(self.val_metrics, self.val_loss, "val/loss")

    def on_test_epoch_end(self) -> None:
        """Log the test loss and metrics."""
        self._log_metrics(self.test_metrics, self.test_loss, "test/loss")

    def _evaluate(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection, mean_loss: MeanMetric) -> None:
        x, target = batch
        outputs = self(x)
        mean_loss.update(self.total_loss(outputs, target), weight=len(target))
        metrics.update(self.total_predictions(outputs), target)

    def _log_metrics(self, metrics: MetricCollection, mean_loss: MeanMetric, loss_name: str) -> None:
        # torchmetrics sums over the rows of all ranks, so the values are those of one process and the same on every
        # rank; sync_dist only tells Lightning so
        self.log(loss_name, mean_loss.compute(), sync_dist=True, prog_bar=True)
        mean_loss.reset()
        values = metrics.compute()
        for name, metric in metrics.items(keep_base=False):
            if undefined := getattr(metric, "undefined_classes", 0):
                log.warning("%s leaves out %d classes for which it is undefined", name, undefined)
        self.log_dict(values, sync_dist=True)
        metrics.reset()

    # Optimisation ----------------------------------------------------------------------------------------------

    def use_data(self, data: Any) -> None:
        """Take from the data module, or None, what loss and metrics need beside batches: here nothing."""

    def setup(self, stage: str) -> None:
        """Look at the data; compile the network (never the task: compiled `self.log` calls crash in torch 2.13)."""
        self.use_data(getattr(self.trainer, "datamodule", None))
        if self.compile_network:
            self.network.compile()

    def configure_optimizers(self) -> Any:
        """Build the optimizer over weights and activation parameters, and the scheduler."""
        optimizer, scheduler = self._build_optimizer()
        if scheduler is None:
            return optimizer
        config: dict[str, Any] = {"scheduler": scheduler, "interval": self.scheduler_interval}
        if isinstance(scheduler, ReduceLROnPlateau):
            config["monitor"] = scheduler.monitor
        return {"optimizer": optimizer, "lr_scheduler": config}

    def _build_optimizer(self) -> tuple[Optimizer, LRScheduler | ReduceLROnPlateau | None]:
        groups = parameter_groups(self.network, self.activation_lr)
        try:
            optimizer = self.optimizer(groups)
            return optimizer, self.scheduler(optimizer) if self.scheduler is not None else None
        except (TypeError, ValueError) as error:
            raise InputError(f"the optimizer or its scheduler cannot be built: {error}") from error

    def on_train_start(self) -> None:
        """Check that the optimizer holds every trainable parameter exactly once."""
        check_groups(self.network, self.trainer.optimizers)

    def on_after_backward(self) -> None:
        """Check in the first steps that every trainable parameter learns."""
        if self._steps_seen >= WATCHED_STEPS:
            return
        self._steps_seen += 1
        self._learned.update(name for name, value in self.network.named_parameters() if value.grad is not None)
        if self._steps_seen == WATCHED_STEPS:
            check_groups(self.network, self.trainer.optimizers)
            check_gradients(self.network, self._learned, WATCHED_STEPS)

    # Checkpoints -----------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the running loss, so that a run stopped within an epoch logs the same mean when resumed.

        And the hierarchy, without which the network cannot be built again: in checkpoints alone, not in the
        hyperparameters, which every logger is given.
        """
        checkpoint["train_loss"] = {"sum": float(self._loss_sum), "rows": self._loss_rows}
        if self.hierarchy is not None:
            key = self.CHECKPOINT_HYPER_PARAMS_KEY
            checkpoint[key] = {**checkpoint.get(key, {}), "hierarchy": self.hierarchy.to_dict()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the running loss again."""
        state = checkpoint.get("train_loss", {"sum": 0.0, "rows": 0})
        self._loss_sum = torch.tensor(state["sum"], dtype=torch.float64)
        self._loss_rows = state["rows"]

    def keep_hyperparameters(self, arguments: dict[str, Any]) -> None:
        """Save the constructor's arguments as plain data (see `hyperparameters`)."""
        if _given_hyperparameters.get() is not None:  # the command line gave the parsed config
            self.save_hyperparameters(ignore="hierarchy")
            return
        plain, left_out = plain_hyperparameters({key: arguments[key] for key in arguments if key != "hierarchy"})
        if left_out:
            log.warning(
                "checkpoints will hold weights but not %s, which is a live object; give a class or a functools.partial "
                "of one so that a checkpoint alone can rebuild the task",
                " and ".join(left_out),
            )
        with _given_hyperparameters_context(plain, "lightning.pytorch.cli.instantiate_module"):
            self.save_hyperparameters()


def build_network(
    factory: NetworkFactory,
    in_features: int | None,
    out_features: int,
    feature_names: list[str] | None,
    hierarchy: Hierarchy | None = None,
    modality_sizes: Mapping[str, int] | None = None,
) -> nn.Module:
    """Call the factory with the sizes, and with names, hierarchy and other sizes where the network declares them."""
    if in_features is None:
        raise InputError("the data do not say how wide they are; a data module needs the attribute num_features")
    known = {"feature_names": feature_names, "hierarchy": hierarchy, **(modality_sizes or {})}
    accepted = accepted_names(factory)
    given = {name: value for name, value in known.items() if value is not None and name in accepted}
    return factory(in_features, out_features, **given)


def accepted_names(factory: Callable) -> set[str]:
    """Return the names of the parameters of what a factory makes."""
    # jsonargparse hands a partial whose first argument is the class; the signature is that of the class.
    for candidate in (*getattr(factory, "args", ()), getattr(factory, "func", None), factory):
        if isinstance(candidate, type):
            return set(inspect.signature(candidate).parameters)
    return set(inspect.signature(factory).parameters)
