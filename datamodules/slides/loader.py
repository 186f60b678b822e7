"""Batches of patients whose bags are read when their turn comes, by worker processes ahead of it if there are any.

Shapes: M patients, B patients of a batch, G genes, C clinical columns.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...batches import MultimodalInputs
from ...errors import InputError
from ...randomness import derive_seed
from ..loading import InMemoryLoader
from .store import SlideStore

__all__ = ["BagLoader", "PatientBatches", "SurvivalBatch"]

SurvivalBatch = tuple[MultimodalInputs, Tensor]


@dataclass(frozen=True)
class PatientBatches(Dataset[SurvivalBatch]):
    """The patients of one part of the data; an item is a whole batch.

    Args:
        patients: Names of the M patients.
        rna: (M, G) encoded expression; 0 where there is none.
        clinical: (M, C) encoded covariates; 0 where there are none.
        present: (M, 3) bool, which modalities a patient has.
        target: (M, 2) float32, time and event.
        store: Where the bags come from; None gives empty ones.
        max_patches: Most patches of a patient: more are drawn at random, anew in every epoch; None takes all.
        seed: Seed of that draw.
    """

    patients: Sequence[str]
    rna: Tensor
    clinical: Tensor
    present: Tensor
    target: Tensor
    store: SlideStore | None = None
    max_patches: int | None = None
    seed: int = 0

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.patients)

    def __getitem__(self, place: tuple[int, list[int]]) -> SurvivalBatch:
        """Return the batch of an epoch with these patients, by position."""
        epoch, rows = place
        index = torch.tensor(rows, dtype=torch.int64)
        bags, sizes = torch.zeros(0, 0), [0] * len(rows)
        if self.store is not None:
            bags, sizes = self.store.bags(
                [(self.patients[row], self._drawn(self.patients[row], epoch)) for row in rows]
            )
        pointers = torch.tensor([0, *accumulate(sizes)], dtype=torch.int64)
        inputs = MultimodalInputs(self.rna[index], bags, pointers, self.clinical[index], self.present[index])
        return inputs, self.target[index]

    def _drawn(self, patient: str, epoch: int) -> np.ndarray | None:
        """Return which patches of a patient are used in an epoch; None for all."""
        number = 0 if self.store is None or self.max_patches is None else self.store.num_patches(patient)
        if self.max_patches is None or number <= self.max_patches:
            return None
        generator = np.random.default_rng(derive_seed(self.seed, "patches", epoch, patient))
        return np.sort(generator.choice(number, self.max_patches, replace=False))


class BagLoader(InMemoryLoader):
    """Iterate over batches of patients; order, ranks and resuming are those of `InMemoryLoader`.

    Without workers a batch is read when it is asked for. With workers they read ahead, `prefetch` batches each; they
    live as long as the loader, so that what they keep in memory serves the next epoch. Workers change nothing in the
    batches, nor does what they have read ahead when a run stops.

    Args:
        data: The patients.
        batch_size: Patients of a batch, all ranks together.
        num_workers: Worker processes.
        prefetch: Batches that each worker reads ahead.
        **options: `shuffle`, `seed`, `drop_last`, `rank` and `world_size` of `InMemoryLoader`.

    Raises:
        InputError: If a number is out of range, and as `InMemoryLoader`.

    Example:
        >>> data = PatientBatches(
        ...     ["P1", "P2", "P3"],
        ...     rna=torch.randn(3, 5),
        ...     clinical=torch.zeros(3, 0),
        ...     present=torch.tensor([[True, False, False]] * 3),
        ...     target=torch.tensor([[3.0, 1.0], [5.0, 0.0], [9.0, 1.0]]),
        ... )
        >>> [target[:, 0].tolist() for inputs, target in BagLoader(data, batch_size=2)]
        [[3.0, 5.0], [9.0]]
    """

    def __init__(
        self, data: PatientBatches, batch_size: int, num_workers: int = 0, prefetch: int = 2, **options: Any
    ) -> None:
        if num_workers < 0 or prefetch < 1:
            raise InputError(
                f"num_workers is {num_workers} and prefetch is {prefetch}; they must be at least 0 and at least 1"
            )
        # What is put in order are the patients' positions.
        super().__init__([torch.arange(len(data))], batch_size, **options)
        self.data, self.num_workers, self.prefetch = data, num_workers, prefetch
        self._plan = _Plan()
        self._workers: DataLoader[SurvivalBatch] | None = None

    def __iter__(self) -> Iterator[Any]:
        """Return a pass over the epoch; it reads epoch and position when its first batch is asked for."""
        # A copy runs ahead and says what is to be read; the loader itself counts what is handed out.
        ahead: Iterator[Any] = InMemoryLoader.__iter__(copy.copy(self))
        epoch = self.state_dict()["epoch"]
        batches = self._read([(epoch, rows.tolist()) for rows in ahead])
        for _, batch in zip(super().__iter__(), batches, strict=True):
            yield batch

    def _read(self, plan: list[tuple[int, list[int]]]) -> Iterator[SurvivalBatch]:
        if not self.num_workers:
            return (self.data[place] for place in plan)
        self._plan.batches = plan
        if self._workers is None:
            self._workers = DataLoader(
                self.data,
                batch_size=None,
                sampler=self._plan,
                num_workers=self.num_workers,
                prefetch_factor=self.prefetch,
                persistent_workers=True,
                collate_fn=_as_it_is,
            )
        return _plainly(self._workers)


class _Plan:
    """The batches of the next pass, where workers look for them."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, list[int]]] = []

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def _plainly(batches: "DataLoader[SurvivalBatch]") -> Iterator[SurvivalBatch]:
    """Iterate; what a worker refuses is refused in its own words, without its traceback."""
    try:
        yield from batches
    except InputError as error:
        raise InputError(str(error).rstrip().rpartition(f"{InputError.__name__}: ")[2]) from None


def _as_it_is(batch: Any) -> Any:
    return batch
