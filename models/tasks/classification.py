"""Classification: one logit for two classes, one per class for more."""

import math
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
        class_weights: What a row of each class counts in the loss, in training and evaluation; None: 1. The loss is
            the sum of the weighted losses divided by the number of rows, so batches of any mix count alike.
        optimizer: Optimizer class; activation parameters form a group of their own without weight decay.
        scheduler: Learning-rate scheduler class, or None.
        scheduler_interval: Whether the scheduler steps once an epoch or once a batch.
        activation_lr: Learning rate of the activation parameters; None keeps the optimizer's.
        compile_network: Compile the network with `torch.compile`.

    Raises:
        InputError: If there are fewer than two classes, or not one positive weight per class.

    Example:
        >>> from functools import partial
        >>> from axonlight.models import ClassificationTask, DenseNetwork
        >>> task = ClassificationTask(partial(DenseNetwork, activation="ash(z=0.5)"), in_features=30, num_classes=2)
        >>> task(torch.zeros(4, 30)).shape
        torch.Size([4, 1])
    """

    class_weights: Tensor | None

    def __init__(
        self,
        network: NetworkFactory,
        in_features: int,
        num_classes: int = 2,
        feature_names: list[str] | None = None,
        hierarchy: Hierarchy | None = None,
        class_weights: list[float] | None = None,
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
        weights = None if class_weights is None else torch.tensor(_checked_weights(class_weights, num_classes))
        # A setting, not learned state.
        self.register_buffer("class_weights", weights, persistent=False)
        self.keep_hyperparameters(arguments)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy of logits (B, 1) or (B, C) and classes (B,)."""
        weights = None if self.class_weights is None else self.class_weights.to(outputs.dtype)
        if self.num_classes == 2:
            of_rows = None if weights is None else weights[target.long()]
            return F.binary_cross_entropy_with_logits(outputs.squeeze(-1), target.to(outputs.dtype), weight=of_rows)
        if weights is None:
            return F.cross_entropy(outputs, target)
        # torch's own weighted mean divides by the weights of the batch's rows, so its batches would not add up
        return F.cross_entropy(outputs, target, weight=weights, reduction="sum") / len(target)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return probabilities: (B,) of class 1 for two classes, (B, C) for more."""
        # float32: the softmax of half types loses the tails on which ranking metrics rest
        outputs = outputs.float()
        return outputs.squeeze(-1).sigmoid() if self.num_classes == 2 else outputs.softmax(dim=-1)

    def metrics(self) -> MetricCollection:
        """Return the metrics of one split."""
        return classification_metrics(self.num_classes)


def _checked_weights(weights: list[float], num_classes: int) -> list[float]:
    if len(weights) != num_classes or not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise InputError(f"class_weights is {weights}; it must be {num_classes} positive numbers, one per class")
    return [float(weight) for weight in weights]
