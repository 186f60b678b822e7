"""The exemplar-label task on which induction heads form.

Legend of shapes: B batch, C classes in use, F features.
"""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from ...errors import InputError
from ...randomness import derive_seed, global_seed
from .features import features_shape, read_features, synthetic_features
from .loader import SequenceEvaluation, SequenceLoader
from .sequences import FewShotBatch, SequenceSet, SequenceStream, split_label_pairs

__all__ = ["EVALUATORS", "FewShotSequences"]

EVALUATORS = ("train", "relabel", "new_classes")
SYNTHETIC_CLASSES, SYNTHETIC_FEATURES = 1623, 512  # those of the published features


class FewShotSequences(LightningDataModule):
    """Sequences x_a y_a x_b y_b x_q: two exemplars of different classes with their labels, then a query of one of them.

    Labels are drawn anew for every sequence, so that only the context can tell the label of the query (Singh et al.
    2024, arXiv 2404.07129). Training draws with replacement from a finite set: with 50 classes and 5 labels 50 x 49
    ordered pairs of classes, 16 ordered pairs of labels and 2 queries, 78,400 sequences. Three evaluators hold other
    draws: "train" from that set, "relabel" with label pairs that training never shows, "new_classes" with classes that
    training never shows.

    Batches are `FewShotBatch`: class numbers (B, 3), labels (B, 2), target (B,). Class numbers are rows of `features`,
    classes of training first. What comes from `split_seed`: features, if drawn; which classes and label pairs are of
    training; the evaluators' sequences. The stream of training comes from the seed of the run.

    Args:
        features: HDF5 file with features (classes, exemplars, F); None draws 1,623 vectors of 512 features, see
            `synthetic_features`.
        features_key: Data set within the file.
        exemplar: Which exemplar of each class of the file is used.
        num_labels: Labels. Of the unordered pairs of labels 80 % are of training: 8 of 10 for 5 labels.
        train_classes: Classes of training.
        new_classes: Classes of the evaluator "new_classes"; the rest, 1,473 of 1,623, stay unused.
        batch_size: Sequences of an update, over all devices together.
        epoch_sequences: Sequences of an epoch, a multiple of `batch_size`; evaluation follows every epoch.
        evaluation_sequences: Sequences of each evaluator.
        split_seed: Seed of the split.
        stream_seed: Seed of the training sequences; None takes the seed of `seed_everything`, else 0.

    Attributes:
        num_features: Features F of an exemplar.
        num_classes: Labels: what a network has to tell apart.
        evaluators: Names of the evaluators, in the order of the validation loaders.

    Raises:
        InputError: If a number is out of range, or the file is not as described.

    Example:
        >>> data = FewShotSequences()
        >>> data.num_features, data.num_classes, data.features.shape, len(data.training_set)
        (512, 5, torch.Size([150, 512]), 78400)
        >>> batch = next(iter(data.train_dataloader()))
        >>> batch.exemplars.shape, batch.labels.shape, batch.target.shape
        (torch.Size([32, 3]), torch.Size([32, 2]), torch.Size([32]))
    """

    evaluators = EVALUATORS
    feature_names: list[str] | None = None  # features are anonymous, and no hierarchy orders them
    hierarchy: Any = None

    def __init__(
        self,
        features: str | None = None,
        features_key: str = "features",
        exemplar: int = 0,
        num_labels: int = 5,
        train_classes: int = 50,
        new_classes: int = 100,
        batch_size: int = 32,
        epoch_sequences: int = 2048,
        evaluation_sequences: int = 1000,
        split_seed: int = 0,
        stream_seed: int | None = None,
    ) -> None:
        super().__init__()
        sizes = {"batch_size": batch_size, "epoch_sequences": epoch_sequences, "evaluation": evaluation_sequences}
        for name, value in sizes.items():
            if value < 1:
                raise InputError(f"{name} is {value}; it must be a positive integer")
        if epoch_sequences % batch_size:
            raise InputError(f"epoch_sequences is {epoch_sequences}; it must be a multiple of batch_size {batch_size}")
        self.path, self.features_key, self.exemplar = features, features_key, exemplar
        self.batch_size, self.epoch_sequences = batch_size, epoch_sequences
        self.evaluation_sequences = evaluation_sequences
        self.split_seed, self.stream_seed = split_seed, stream_seed
        known = (
            (SYNTHETIC_CLASSES, 1, SYNTHETIC_FEATURES) if features is None else features_shape(features, features_key)
        )
        self.available_classes, self.num_features = known[0], known[2]
        self.train_classes, self.new_classes = train_classes, new_classes
        if min(train_classes, new_classes) < 2 or train_classes + new_classes > self.available_classes:
            raise InputError(
                f"train_classes is {train_classes} and new_classes is {new_classes}; each must be 2 or more, and "
                f"together at most the {self.available_classes} classes that there are"
            )
        self.num_classes = num_labels
        self.train_pairs, self.held_out_pairs = split_label_pairs(num_labels, split_seed)

    @cached_property
    def features(self) -> Tensor:
        """Features (C, F) of the classes in use: those of training, then those of the evaluator "new_classes"."""
        if self.path is None:
            known = synthetic_features(self.available_classes, self.num_features, self.split_seed)
        else:
            known = read_features(self.path, self.features_key, self.exemplar)
        order = np.random.default_rng(derive_seed(self.split_seed, "classes")).permutation(len(known))
        new, train = np.split(order[: self.new_classes + self.train_classes], [self.new_classes])
        # The new classes are chosen first, so that they stay the same whatever the number of training classes.
        return known[torch.from_numpy(np.concatenate([train, new]))]

    @property
    def train_features(self) -> Tensor:
        """Features (train_classes, F): all that training reads."""
        return self.features[: self.train_classes]

    @property
    def training_set(self) -> SequenceSet:
        """The finite set that training draws from."""
        return self._set("train")

    def __str__(self) -> str:
        """Return what is in it; Lightning's own text asks the loaders for PyTorch's data sets."""
        return f"{type(self).__name__}: {len(self.training_set):,} sequences of {self.train_classes} classes"

    def setup(self, stage: str) -> None:
        """Draw or read the features, so that bad input is found before a run begins."""
        self.features  # noqa: B018

    def stream(self, seed: int) -> SequenceStream:
        """Return the endless stream of training sequences with a seed."""
        return SequenceStream(self.training_set, seed)

    def evaluation(self, name: str, seed: int = 1) -> FewShotBatch:
        """Return the sequences of an evaluator; another seed gives another draw."""
        drawn = np.random.default_rng(derive_seed(self.split_seed, "evaluator", name, seed))
        sequences = self._set(name)
        return sequences[torch.from_numpy(drawn.integers(len(sequences), size=self.evaluation_sequences))]

    def train_dataloader(self) -> SequenceLoader:
        """Return the training stream; a task with `updates_per_step` gets the sequences of so many updates at once."""
        seed = global_seed() if self.stream_seed is None else self.stream_seed
        task = getattr(self.trainer, "lightning_module", None)
        updates = int(getattr(task, "updates_per_step", 1))
        epoch = self.epoch_sequences // self.batch_size
        rank, ranks = self._place()
        return SequenceLoader(self.stream(seed), self.batch_size, updates, epoch, rank=rank, world_size=ranks)

    def val_dataloader(self) -> list[SequenceEvaluation]:
        """Return one loader per evaluator."""
        return self._evaluations(seed=1)

    def test_dataloader(self) -> list[SequenceEvaluation]:
        """Return one loader per evaluator, with draws of their own."""
        return self._evaluations(seed=2)

    def _evaluations(self, seed: int) -> list[SequenceEvaluation]:
        size, (rank, ranks) = self.evaluation_sequences, self._place()
        return [
            SequenceEvaluation(self.evaluation(name, seed), size, rank=rank, world_size=ranks)
            for name in self.evaluators
        ]

    def _set(self, name: str) -> SequenceSet:
        if name not in EVALUATORS:
            raise InputError(f"evaluator {name!r} is unknown; it must be one of {', '.join(EVALUATORS)}")
        first, last = (self.train_classes, len(self.features)) if name == "new_classes" else (0, self.train_classes)
        return SequenceSet(range(first, last), self.held_out_pairs if name == "relabel" else self.train_pairs)

    def _place(self) -> tuple[int, int]:
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
