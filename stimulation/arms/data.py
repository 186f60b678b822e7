"""What many arms train on: a stream of batches for every seed, and evaluators that all of them share.

Legend of shapes: N updates, B batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...randomness import derive_seed

__all__ = ["ArmData"]


@dataclass(frozen=True)
class ArmData:
    """Batches by seed and number of the update, and evaluators.

    Args:
        read: Returns the batches of the updates first, first + 1, ..., last - 1 of the stream of a seed, tensors
            (N, B, ...) by name, among them "target". Which updates are asked for at once must not matter.
        inputs: Names of the network's arguments, in order: tensors of a batch or shared ones.
        evaluators: Batches (B, ...) by name; the first one tells when a run has learned.
        train_shared: What the network is given beside every training batch: tables that all samples read.
        evaluation_shared: The same for evaluators.
        updates_per_epoch: Updates of an epoch, for lights that count epochs.

    Raises:
        InputError: If there is no input or no evaluator.

    Example:
        >>> x, y = torch.randn(100, 3), torch.randint(2, (100,))
        >>> data = ArmData.from_rows(x, y, batch_size=10)
        >>> data.read(seed=0, first=0, last=4)["input"].shape, list(data.evaluators)
        (torch.Size([4, 10, 3]), ['train'])
    """

    read: Callable[[int, int, int], Mapping[str, Tensor]]
    inputs: tuple[str, ...]
    evaluators: Mapping[str, Mapping[str, Tensor]]
    train_shared: Mapping[str, Tensor] = field(default_factory=dict)
    evaluation_shared: Mapping[str, Tensor] = field(default_factory=dict)
    updates_per_epoch: int = 1

    def __post_init__(self) -> None:
        if not self.inputs or not self.evaluators:
            raise InputError("data of arms need the names of the network's inputs and at least one evaluator")

    def arguments(self, batch: Mapping[str, Tensor], training: bool) -> tuple[Tensor, ...]:
        """Return the network's arguments for a batch."""
        known = {**(self.train_shared if training else self.evaluation_shared), **batch}
        return tuple(known[name] for name in self.inputs)

    @classmethod
    def build(cls, value: Any) -> "ArmData":
        """Return data as they are, or those of a data module of sequences (`FewShotSequences`).

        Raises:
            InputError: If it is neither.
        """
        if isinstance(value, cls):
            return value
        if all(hasattr(value, name) for name in ("stream", "evaluation", "evaluators", "features", "train_features")):
            return cls.from_sequences(value)
        raise InputError(
            f"data is a {type(value).__name__}; it must be ArmData, or a data module with streams and evaluators"
        )

    @classmethod
    def from_sequences(cls, module: Any) -> "ArmData":
        """Return the streams and evaluators of a data module such as `FewShotSequences`.

        The stream of a seed is what a run with that seed reads.
        """
        streams: dict[int, Any] = {}
        size = module.batch_size

        def read(seed: int, first: int, last: int) -> dict[str, Tensor]:
            stream = streams.setdefault(seed, module.stream(seed))
            return _named(
                stream.read(first * size, last * size), lambda value: value.unflatten(0, (last - first, size))
            )

        return cls(
            read=read,
            inputs=("exemplars", "labels", "features"),
            evaluators={name: _named(module.evaluation(name)) for name in module.evaluators},
            train_shared={"features": module.train_features},
            evaluation_shared={"features": module.features},
            updates_per_epoch=module.epoch_sequences // size,
        )

    @classmethod
    def from_rows(
        cls,
        inputs: Tensor,
        target: Tensor,
        batch_size: int,
        evaluators: Mapping[str, tuple[Tensor, Tensor]] | None = None,
    ) -> "ArmData":
        """Return the rows of a table in an order of each seed's own, drawn anew for every epoch; a rest is left out.

        Args:
            inputs: (N, ...) rows.
            target: (N, ...) targets.
            batch_size: Rows of a batch.
            evaluators: Inputs and targets by name; None: the table itself, as "train".

        Raises:
            InputError: If the batch size is not between 1 and the number of rows.
        """
        updates = len(inputs) // batch_size if batch_size > 0 else 0
        if not updates:
            raise InputError(f"batch_size is {batch_size}; it must be between 1 and the {len(inputs)} rows")

        def order(seed: int, epoch: int) -> Tensor:
            generator = torch.Generator().manual_seed(derive_seed(seed, "arms", "order", epoch))
            return torch.randperm(len(inputs), generator=generator)[: updates * batch_size].view(updates, batch_size)

        def read(seed: int, first: int, last: int) -> dict[str, Tensor]:
            epochs = range(first // updates, -(-last // updates))
            rows = torch.cat([order(seed, epoch) for epoch in epochs])[first - epochs.start * updates :][: last - first]
            return {"input": inputs[rows], "target": target[rows]}

        known = evaluators or {"train": (inputs, target)}
        return cls(
            read=read,
            inputs=("input",),
            evaluators={name: {"input": pair[0], "target": pair[1]} for name, pair in known.items()},
            updates_per_epoch=updates,
        )


def _named(batch: Any, change: Callable[[Tensor], Tensor] = lambda value: value) -> dict[str, Tensor]:
    return {name: change(value) for name, value in batch._asdict().items()}
