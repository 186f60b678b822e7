"""Train the networks of an importance study side by side, also on labels of their own.

Legend of shapes: R replicas, B batch, N training rows, F columns, O outputs.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from ...datamodules import InMemoryLoader
from ...errors import InputError
from ...models import ReplicaTask, Task
from ..runs.build import BuiltRun
from ..runs.side_by_side import foreign_callbacks

__all__ = ["OwnTargets", "Trained", "train_networks"]


class OwnTargets(ReplicaTask):
    """Replicas that learn from targets of their own: batches of (B, F) and (B, R).

    Example:
        >>> from functools import partial
        >>> from axonlight.models import ClassificationTask, DenseNetwork
        >>> tasks = [ClassificationTask(partial(DenseNetwork, hidden=[4]), in_features=3) for _ in range(2)]
        >>> OwnTargets(tasks, seeds=0).losses(torch.zeros(2, 5, 1), torch.tensor([[0, 1]] * 5)).tolist()
        [0.6931471824645996, 0.6931471824645996]
    """

    def losses(self, outputs: Any, target: Tensor) -> Tensor:
        """Return the loss of every replica, (R,), each from its column of the targets (B, R)."""
        if target.dim() == 1:  # rows that are tested have one target
            return super().losses(outputs, target)
        several = not isinstance(outputs, Tensor)
        places = cast(Any, type(outputs))(1, None, None) if several else 0
        return torch.vmap(self._tasks[0].total_loss, in_dims=(places, 1))(outputs, target)

    def targets_of(self, target: Tensor, which: slice) -> Tensor:
        """Return the columns (B, r) of the targets (B, R) that some of the replicas learn from."""
        return target[:, which]


class Trained:
    """Networks that were trained side by side.

    Args:
        task: The replicas, trained and tested.
    """

    def __init__(self, task: ReplicaTask) -> None:
        self._task = task
        self._found = task.results()

    def __len__(self) -> int:
        return len(self._found)

    def error(self, place: int) -> str | None:
        """Return why a network failed, or None."""
        return self._found[place]["error"]

    def network(self, place: int) -> torch.nn.Module:
        """Return a trained network, in evaluation mode."""
        return self._task.task(place).network.eval()

    def scores(self, place: int) -> dict[str, float]:
        """Return the test metrics of a network, by their names without "test/"."""
        return {name.removeprefix("test/"): float(value) for name, value in self._found[place]["scores"].items()}


def train_networks(runs: Sequence[BuiltRun], targets: Sequence[Tensor] | None = None) -> Trained:
    """Train runs of one config and seed that differ in their hierarchies, or in their training targets.

    Args:
        runs: The runs; data, trainer and order of rows are those of the first.
        targets: Training targets (N,) of each; None: those of the data.

    Raises:
        InputError: If the config stops early, or has callbacks that would see all networks at once.
    """
    first = runs[0]
    _check_callbacks(first)
    rows = first.data.train_dataloader()
    if targets is not None:
        x, y = rows.tensors
        if any(target.shape != y.shape for target in targets):
            raise InputError(f"targets must be one per training row, {tuple(y.shape)}; give as many as there are rows")
        settings = {"shuffle": True, "seed": rows.seed, "drop_last": rows.drop_last}
        rows = InMemoryLoader([x, torch.stack(list(targets), dim=1)], rows.batch_size, **settings)
    kind = ReplicaTask if targets is None else OwnTargets
    task = kind(cast(list[Task], [run.task for run in runs]), seeds=first.builder.seed)
    trainer = first.trainer([])
    # no validation rows: nothing is selected
    trainer.fit(task, train_dataloaders=rows)
    trainer.test(task, dataloaders=first.data.test_dataloader(), verbose=False)
    return Trained(task)


def _check_callbacks(run: BuiltRun) -> None:
    if not isinstance(run.task, Task):
        raise InputError(f"the model is {type(run.task).__name__}, which is no task of this package; take one that is")
    if any(type(callback) is EarlyStopping for callback in run.callbacks):
        raise InputError(
            "the config has the callback EarlyStopping; calibration needs one budget for all: leave it out"
        )
    if others := foreign_callbacks(run.callbacks):
        raise InputError(f"the config has callbacks that would see all networks at once, {others[0]}; leave them out")
