"""Classification: one logit for two classes, one per class for more."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from ...errors import InputError
from ...metrics import classification_metrics
from ...structures import Hierarchy
from .task import NetworkFactory, OptimizerFactory, SchedulerFactory, Task

__all__ = ["ClassificationTask"]


class ClassificationTask(Task):
    """Train a network to tell classes apart.

    Two classes take one logit and binary cross-entropy; C > 2 classes take C logits and cross-entropy. Metrics:
    accuracy, AUROC, average precision, F1 and calibration error, NaN where undefined.

    Args:
        network: Network class; called with (in_features, out_features).
        in_features: Width of the input; linked to the data on the command line.
        num_classes: Number of classes; linked to the data on the command line.
        feature_names: Names of the features; given to a network that declares them, kept in the checkpoint.
        hierarchy: What is known about the features; given to a network that declares it, kept in the checkpoint.
        optimizer: Optimizer class; activation parameters form a group of their own without weight decay.
        scheduler: Learning-rate scheduler class, or None.
        scheduler_interval: Whether the scheduler steps once an epoch or once a batch.
        activation_lr: Learning rate of the activation parameters; None keeps the optimizer's.
        compile_network: Compile the network with `torch.compile`.

    Raises:
        InputError: If there are fewer than two classes.

    Example:
        >>> from functools import partial
        >>> from axonlight.models import ClassificationTask, DenseNetwork
        >>> task = ClassificationTask(partial(DenseNetwork, activation="ash(z=0.5)"), in_features=30, num_classes=2)
        >>> task(torch.zeros(4, 30)).shape
        torch.Size([4, 1])
    """

    def __init__(
        self,
        network: NetworkFactory,
        in_features: int,
        num_classes: int = 2,
        feature_names: list[str] | None = None,
        hierarchy: Hierarchy | None = None,
        optimizer: OptimizerFactory = torch.optim.Adam,
        scheduler: SchedulerFactory | None = None,
        scheduler_interval: Literal["epoch", "step"] = "epoch",
        activation_lr: float | None = None,
        compile_network: bool = False,
    ) -> None:
        if num_classes is None or num_classes < 2:  # None: what a data module without the attribute gives
            raise InputError(f"num_classes of the data is {num_classes}; classification needs two or more")
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        self.num_classes = num_classes
        super().__init__(
            network=network,
            in_features=in_features,
            out_features=1 if num_classes == 2 else num_classes,
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
        """Return the cross-entropy of logits (B, 1) or (B, C) and classes (B,)."""
        if self.num_classes == 2:
            return F.binary_cross_entropy_with_logits(outputs.squeeze(-1), target.to(outputs.dtype))
        return F.cross_entropy(outputs, target)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return probabilities: (B,) of class 1 for two classes, (B, C) for more."""
        # float32: the softmax of half types loses the tails on which ranking metrics rest
        outputs = outputs.float()
        return outputs.squeeze(-1).sigmoid() if self.num_classes == 2 else outputs.softmax(dim=-1)

    def metrics(self) -> MetricCollection:
        """Return the metrics of one split."""
        return classification_metrics(self.num_classes)
