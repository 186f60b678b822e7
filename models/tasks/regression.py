"""Regression: one output, squared or absolute error."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from ...metrics import regression_metrics
from ...structures import Hierarchy
from .task import NetworkFactory, OptimizerFactory, SchedulerFactory, Task

__all__ = ["RegressionTask"]


class RegressionTask(Task):
    """Train a network to predict one real number per row.

    Metrics: root mean squared error, mean absolute error and R2, in the target's units; R2 is NaN where undefined.

    Args:
        network: Network class; called with (in_features, 1).
        in_features: Width of the input; linked to the data on the command line.
        feature_names: Names of the features; given to a network that declares them, kept in the checkpoint.
        hierarchy: What is known about the features; given to a network that declares it, kept in the checkpoint.
        error: "squared", "absolute" or "huber" loss.
        optimizer: Optimizer class; activation parameters form a group of their own without weight decay.
        scheduler: Learning-rate scheduler class, or None.
        scheduler_interval: Whether the scheduler steps once an epoch or once a batch.
        activation_lr: Learning rate of the activation parameters; None keeps the optimizer's.
        compile_network: Compile the network with `torch.compile`.

    Example:
        >>> from axonlight.models import DenseNetwork, RegressionTask
        >>> task = RegressionTask(DenseNetwork, in_features=30, error="absolute")
        >>> task.loss(torch.ones(4, 1), torch.zeros(4))
        tensor(1.)
    """

    def __init__(
        self,
        network: NetworkFactory,
        in_features: int,
        feature_names: list[str] | None = None,
        hierarchy: Hierarchy | None = None,
        error: Literal["squared", "absolute", "huber"] = "squared",
        optimizer: OptimizerFactory = torch.optim.Adam,
        scheduler: SchedulerFactory | None = None,
        scheduler_interval: Literal["epoch", "step"] = "epoch",
        activation_lr: float | None = None,
        compile_network: bool = False,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        self.error = error
        super().__init__(
            network=network,
            in_features=in_features,
            out_features=1,
            feature_names=feature_names,
            hierarchy=hierarchy,
            optimizer=optimizer,
            scheduler=scheduler,
            scheduler_interval=scheduler_interval,
            activation_lr=activation_lr,
            compile_network=compile_network,
        )
        self.keep_hyperparameters(arguments)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the mean error of outputs (B, 1) against targets (B,)."""
        function = {"squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss}[self.error]
        return function(outputs.squeeze(-1), target.to(outputs.dtype))

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return the predicted values (B,)."""
        return outputs.squeeze(-1).float()

    def metrics(self) -> MetricCollection:
        """Return the metrics of one split."""
        return regression_metrics()
