"""Batches of a stream of sequences, one or several updates at a time."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ...errors import InputError
from ..loading import InMemoryLoader
from .sequences import FewShotBatch, SequenceStream

__all__ = ["SequenceEvaluation", "SequenceLoader"]


class SequenceEvaluation(InMemoryLoader):
    """The sequences of an evaluator, in order, each once.

    Example:
        >>> import torch
        >>> loader = SequenceEvaluation([torch.zeros(5, 3), torch.zeros(5, 2), torch.zeros(5)], batch_size=4)
        >>> [type(batch).__name__ for batch in loader]
        ['FewShotBatch', 'FewShotBatch']
    """

    def _batch(self, parts: list[Tensor]) -> FewShotBatch:
        return FewShotBatch(*parts)


class SequenceLoader:
    """Iterate over a stream of sequences; update u of a run reads the sequences from u times the batch size on.

    The stream goes on from epoch to epoch. Lightning sets the epoch, saves the position within it in every checkpoint
    and restores it, so a run stopped inside an epoch goes on with the sequences it would have seen next.

    Args:
        stream: The stream.
        batch_size: Sequences of an update, over all ranks together.
        updates_per_batch: Updates of a batch; their sequences follow one another.
        updates_per_epoch: Updates of an epoch.
        rank: Index of this process; rank r of W reads the r-th part of the sequences of every update.
        world_size: Number of processes W.

    Raises:
        InputError: If a size is not positive, or an epoch is no whole number of batches, or an update cannot be shared
            evenly by the processes.

    Example:
        >>> from axonlight.datamodules.few_shot.sequences import SequenceSet, SequenceStream, split_label_pairs
        >>> stream = SequenceStream(SequenceSet(range(50), split_label_pairs(5)[0]), seed=0)
        >>> loader = SequenceLoader(stream, batch_size=32, updates_per_batch=4, updates_per_epoch=64)
        >>> len(loader), next(iter(loader)).exemplars.shape
        (16, torch.Size([128, 3]))
    """

    def __init__(
        self,
        stream: SequenceStream,
        batch_size: int,
        updates_per_batch: int,
        updates_per_epoch: int,
        *,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        sizes = {"batch_size": batch_size, "updates_per_step": updates_per_batch, "epoch": updates_per_epoch}
        for name, value in sizes.items():
            if value < 1:
                raise InputError(f"{name} is {value}; it must be a positive integer")
        if updates_per_epoch % updates_per_batch:
            raise InputError(
                f"an epoch has {updates_per_epoch} updates, which is no whole number of steps of {updates_per_batch} "
                "(updates_per_step)"
            )
        if batch_size % world_size:
            raise InputError(f"batch_size is {batch_size}, which {world_size} devices cannot share evenly")
        self.stream = stream
        self.batch_size = batch_size
        self.updates_per_batch = updates_per_batch
        self.updates_per_epoch = updates_per_epoch
        self.rank, self.world_size = rank, world_size
        self._epoch = self._start = self._fetched = 0
        self.sampler = self  # where Lightning looks for set_epoch

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self.updates_per_epoch // self.updates_per_batch

    def set_epoch(self, epoch: int) -> None:
        """Choose where in the stream the next pass begins."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._start = self._fetched = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position: the epoch, batches fetched in it, and what they are counted in."""
        return {"epoch": self._epoch, "fetched": self._fetched, **self._units()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a saved position.

        Raises:
            InputError: If positions of that run are counted otherwise.
        """
        for name, own in self._units().items():
            if state[name] != own:
                raise InputError(f"the checkpoint was written with {name} {state[name]}; it cannot go on with {own}")
        self._epoch = state["epoch"]
        self._start = self._fetched = state["fetched"] % len(self)

    def __iter__(self) -> Iterator[FewShotBatch]:
        """Return a pass over the epoch; it reads epoch and position when its first batch is asked for."""
        # The restored position holds for one pass; a second pass over the same epoch is a whole one.
        self._fetched, self._start = self._start, 0
        while self._fetched < len(self):
            update = self._epoch * self.updates_per_epoch + self._fetched * self.updates_per_batch
            # Counted before it is handed out: a checkpoint written while it is worked on resumes after it.
            self._fetched += 1
            yield self._read(update)

    def _read(self, update: int) -> FewShotBatch:
        batch = self.stream.read(update * self.batch_size, (update + self.updates_per_batch) * self.batch_size)
        if self.world_size == 1:
            return batch
        share = self.batch_size // self.world_size
        own = slice(self.rank * share, (self.rank + 1) * share)
        return FewShotBatch(*(tensor.unflatten(0, (-1, self.batch_size))[:, own].flatten(0, 1) for tensor in batch))

    def _units(self) -> dict[str, int]:
        return {
            "batch_size": self.batch_size,
            "updates_per_batch": self.updates_per_batch,
            "updates_per_epoch": self.updates_per_epoch,
            "seed": self.stream.seed,
        }
