"""Batches of tensors that are already in memory: no worker processes, no Python per row.

Shapes: N rows, B rows of a global batch, W ranks.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..randomness import derive_seed

__all__ = ["InMemoryLoader"]

Batch = Tensor | tuple[Tensor, ...]


class InMemoryLoader:
    """Iterate over tensors in batches; one `index_select` per tensor and batch.

    The order of an epoch depends on `seed` and the epoch alone: it comes from a generator of its own and
    leaves the global random state untouched. Lightning sets the epoch, saves the position within it in
    every checkpoint and restores it, so a run stopped inside an epoch goes on with the batch it would have
    seen next.

    Training (`shuffle=True`): `batch_size` counts the rows of all ranks together. Rank r takes the r-th
    part of every global batch, so that any number of ranks makes the same number of steps; parts of a
    batch that W does not divide differ by one row. A last batch of fewer rows than ranks repeats rows, for
    no rank may be without.

    Evaluation (`shuffle=False`): each row once, on one rank, without padding; every rank makes the same
    number of batches, none empty.

    Args:
        tensors: One or more tensors with N rows each. One gives bare batches, several give tuples.
        batch_size: Rows of a global batch, B.
        shuffle: Whether the order changes from epoch to epoch.
        seed: Seed of the order.
        drop_last: Whether a last batch of fewer than B rows is left out (training only).
        rank: Index of this process.
        world_size: Number of processes, W.

    Raises:
        InputError: If a size is not positive, `drop_last` leaves no batch, or there are fewer rows than
            ranks.

    Example:
        >>> loader = InMemoryLoader([torch.arange(10), torch.zeros(10)], batch_size=4)
        >>> [x.tolist() for x, _ in loader]
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        >>> InMemoryLoader([torch.arange(10)], batch_size=4, shuffle=True, drop_last=True).batch_sizes
        [4, 4]
    """

    def __init__(
        self,
        tensors: list[Tensor] | tuple[Tensor, ...],
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.tensors = tuple(tensors)
        self.num_rows = len(self.tensors[0])
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; it must be a positive integer")
        if any(len(tensor) != self.num_rows for tensor in self.tensors):
            raise InputError(f"tensors have {[len(tensor) for tensor in self.tensors]} rows; they must have the same")
        if self.num_rows < max(world_size, 1):
            raise InputError(f"{self.num_rows} rows cannot be shared by {world_size} devices; each needs at least one")
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last and shuffle
        self.rank = rank
        self.world_size = world_size
        self._bounds = self._training_bounds() if shuffle else self._evaluation_bounds()
        if not self._bounds:
            raise InputError(
                f"drop_last leaves no batch: batch_size is {batch_size} and there are {self.num_rows} rows"
            )
        self._epoch = 0
        self._start = 0
        self._fetched = 0
        if shuffle:
            # Where Lightning looks for set_epoch; on evaluation loaders it would read it as shuffling.
            self.sampler = self

    def __len__(self) -> int:
        """Return the number of batches of an epoch, the same on every rank."""
        return len(self._bounds)

    @property
    def batch_sizes(self) -> list[int]:
        """Rows of each batch of this rank."""
        return [stop - start for start, stop in self._bounds]

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass; a new epoch starts at its first batch."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._start = self._fetched = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position: epoch and batches fetched in it, and what they are counted in."""
        return {
            "epoch": self._epoch,
            "fetched": self._fetched,
            "batch_size": self.batch_size,
            "num_rows": self.num_rows,
            "seed": self.seed,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a saved position.

        Raises:
            InputError: If the position is inside an epoch of other batches.
        """
        # Between epochs nothing is counted in batches, so their size may change there.
        inside = 0 < state["fetched"] < _num_batches(state["num_rows"], state["batch_size"], self.drop_last)
        own = self.state_dict()
        for key in ("batch_size", "num_rows", "seed"):
            if inside and state[key] != own[key]:
                raise InputError(
                    f"the checkpoint was written inside an epoch with {key} {state[key]} and cannot "
                    "be resumed with "
                    f"{own[key]}; keep it, or resume from a checkpoint written at the end of an epoch"
                )
        self._epoch = state["epoch"]
        self._start = self._fetched = state["fetched"] if inside else 0

    def __iter__(self) -> Iterator[Batch]:
        """Return a pass over the epoch; it reads epoch and position when its first batch is asked for."""
        # Lightning makes the iterator before it sets the epoch: nothing may happen until the first next().
        return self._shuffled() if self.shuffle else self._in_order()

    def _shuffled(self) -> Iterator[Batch]:
        # The restored position holds for one pass; a second pass over the same epoch is a whole one.
        self._fetched, self._start = self._start, 0
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "shuffle", self._epoch))
        order = torch.randperm(self.num_rows, generator=generator)
        order = torch.cat([order, order[: self.world_size]])
        for start, stop in self._bounds[self._fetched :]:
            rows = order[start:stop]
            # Counted before it is handed out: a checkpoint written while it is worked on resumes after it.
            self._fetched += 1
            yield self._batch([tensor.index_select(0, rows) for tensor in self.tensors])

    def _in_order(self) -> Iterator[Batch]:
        for start, stop in self._bounds:
            yield self._batch([tensor[start:stop] for tensor in self.tensors])

    def _batch(self, parts: list[Tensor]) -> Batch:
        return parts[0] if len(parts) == 1 else tuple(parts)

    def _training_bounds(self) -> list[tuple[int, int]]:
        bounds = []
        for index in range(_num_batches(self.num_rows, self.batch_size, self.drop_last)):
            first = index * self.batch_size
            # Fewer rows than ranks are filled up from the start of the order, one row for each rank.
            size = max(min(self.batch_size, self.num_rows - first), self.world_size)
            bounds.append(
                (
                    first + _cut(size, self.rank, self.world_size),
                    first + _cut(size, self.rank + 1, self.world_size),
                )
            )
        return bounds

    def _evaluation_bounds(self) -> list[tuple[int, int]]:
        first, last = (_cut(self.num_rows, self.rank + step, self.world_size) for step in (0, 1))
        if self.world_size == 1:
            return [(start, min(start + self.batch_size, last)) for start in range(0, last, self.batch_size)]
        largest_shard = -(-self.num_rows // self.world_size)
        per_rank = -(-self.batch_size // self.world_size)
        count = min(-(-largest_shard // per_rank), self.num_rows // self.world_size)
        cuts = [first + _cut(last - first, index, count) for index in range(count + 1)]
        return list(pairwise(cuts))


def _num_batches(num_rows: int, batch_size: int, drop_last: bool) -> int:
    return num_rows // batch_size if drop_last else -(-num_rows // batch_size)


def _cut(size: int, part: int, parts: int) -> int:
    """Return where the given part starts when `size` rows are cut into near-equal parts."""
    return size * part // parts
