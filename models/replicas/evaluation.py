"""Loss and metrics of every replica on one split.

Legend of shapes: R replicas, B batch, O outputs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..head_outputs import HeadOutputs
from ..tasks.task import Task
from .progress import RunningMean

__all__ = ["Evaluation", "outputs_of"]


def outputs_of(outputs: Tensor | HeadOutputs, replica: int) -> Tensor | HeadOutputs:
    """Return the outputs of one replica."""
    if isinstance(outputs, HeadOutputs):
        return outputs._replace(outputs=outputs.outputs[:, replica])
    return outputs[replica]


class Evaluation:
    """Keeps the outputs of all replicas until the split is over.

    Args:
        split: "val" or "test".
    """

    def __init__(self, split: str) -> None:
        self.split = split
        self._loss = RunningMean(torch.float32)
        self._batches: list[tuple[Tensor | HeadOutputs, Tensor]] = []

    def add(self, outputs: Tensor | HeadOutputs, target: Tensor, losses: Tensor) -> None:
        """Keep the outputs of a batch and the replicas' losses (R,) on it."""
        self._batches.append((outputs, target))
        self._loss.add(losses.float(), len(target))  # as torchmetrics' mean does

    def take(self, tasks: Sequence[Task], replicas: Sequence[int]) -> dict[int, dict[str, float]]:
        """Return the values that each of these replicas' tasks would log, and begin anew."""
        losses, batches = self._loss.take().tolist(), self._batches
        self._batches = []
        found = {}
        for replica in replicas:
            metrics = getattr(tasks[replica], f"{self.split}_metrics")
            for outputs, target in batches:
                metrics.update(tasks[replica].total_predictions(outputs_of(outputs, replica)), target)
            values = {name: float(value) for name, value in metrics.compute().items()}
            metrics.reset()
            found[replica] = {f"{self.split}/loss": losses[replica], **values}
        return found
