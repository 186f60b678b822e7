"""The losses of all replicas at once.

Legend of shapes: R replicas, B batch, H heads, O outputs.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..head_outputs import HeadOutputs
from ..tasks.classification import ClassificationTask
from ..tasks.regression import RegressionTask
from ..tasks.task import Task

__all__ = ["replica_losses"]


def replica_losses(task: Task, outputs: Tensor | HeadOutputs, target: Tensor) -> Tensor:
    """Return the loss (R,) that a task has for the outputs of every replica.

    Args:
        task: The task.
        outputs: (R, B, O), or of several heads (H, R, B, O).
        target: (B,), the same for all replicas.

    Example:
        >>> from functools import partial
        >>> from axonlight.models import ClassificationTask, DenseNetwork
        >>> task = ClassificationTask(partial(DenseNetwork, hidden=[2]), in_features=3)
        >>> outputs, target = torch.randn(5, 8, 1), torch.tensor([0, 1] * 4)
        >>> torch.allclose(replica_losses(task, outputs, target)[2], task.loss(outputs[2], target))
        True
    """
    if isinstance(outputs, HeadOutputs):
        heads = torch.stack([replica_losses(task, head, target) for head in outputs.outputs])
        return (heads * outputs.loss_weights.unsqueeze(-1)).sum(dim=0)
    # A tenth of the time of what is below, which with small networks is a tenth of the training.
    if type(task) is ClassificationTask and task.num_classes == 2:
        weights = None if task.class_weights is None else task.class_weights.to(outputs.dtype)[target.long()]
        wanted = target.to(outputs.dtype).expand(outputs.shape[:-1])
        logits = outputs.squeeze(-1)
        return _means(F.binary_cross_entropy_with_logits(logits, wanted, weight=weights, reduction="none"))
    if type(task) is RegressionTask:
        function = {"squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss}[task.error]
        wanted = target.to(outputs.dtype).expand(outputs.shape[:-1])
        return _means(function(outputs.squeeze(-1), wanted, reduction="none"))
    return torch.vmap(task.loss, in_dims=(0, None))(outputs, target)


def _means(losses: Tensor) -> Tensor:
    """Return the means (R,) of losses (R, B): in float64, as torch adds up in an order that depends on R."""
    return losses.mean(dim=-1, dtype=torch.float64).to(losses.dtype)
