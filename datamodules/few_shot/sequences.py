"""Sequences of two (exemplar, label) pairs and a query, as numbers of a finite set.

Legend of shapes: S sequences, N classes, L labels, P label pairs.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...randomness import derive_seed

__all__ = ["FewShotBatch", "SequenceSet", "SequenceStream", "split_label_pairs"]

BLOCK = 65_536  # sequences drawn at once: 2,048 updates of 32 cost one call


class FewShotBatch(NamedTuple):
    """A batch of sequences x_a y_a x_b y_b x_q.

    Args:
        exemplars: int64 (B, 3), class numbers of x_a, x_b and x_q; x_q is one of the other two.
        labels: int64 (B, 2), y_a and y_b.
        target: int64 (B,), the label of the query's class.

    Example:
        >>> batch = FewShotBatch(torch.tensor([[7, 2, 2]]), torch.tensor([[0, 3]]), torch.tensor([3]))
        >>> batch.target.tolist()
        [3]
    """

    exemplars: Tensor
    labels: Tensor
    target: Tensor


def split_label_pairs(num_labels: int, seed: int = 0, held_out: float = 0.2) -> tuple[Tensor, Tensor]:
    """Split the unordered pairs of labels into those of training and those held out.

    Args:
        num_labels: Labels L, at least 3.
        seed: Seed of the split.
        held_out: Share of the pairs that is held out: 2 of 10 for 5 labels, 9 of 45 for 10, 21 of 105 for 15.

    Returns:
        Two int64 tensors (P, 2), the smaller label first.

    Raises:
        InputError: If there are fewer than 3 labels: then there are too few pairs to hold one out.

    Example:
        >>> [tuple(pairs.shape) for labels in (5, 10, 15) for pairs in split_label_pairs(labels)]
        [(8, 2), (2, 2), (36, 2), (9, 2), (84, 2), (21, 2)]
    """
    if num_labels < 3:
        raise InputError(f"num_labels is {num_labels}; 3 or more are needed, or no pair of labels can be held out")
    pairs = torch.tensor(list(combinations(range(num_labels), 2)))
    order = np.random.default_rng(derive_seed(seed, "label pairs")).permutation(len(pairs))
    count = max(1, round(held_out * len(pairs)))
    return pairs[np.sort(order[count:])], pairs[np.sort(order[:count])]


class SequenceSet:
    """All sequences over some classes and label pairs, each with a number.

    There are N (N - 1) ordered pairs of classes, 2 P ordered pairs of labels and 2 queries: 78,400 sequences for 50
    classes and 8 pairs.

    Args:
        classes: The class numbers, consecutive.
        pairs: int64 (P, 2), unordered label pairs.

    Example:
        >>> sequences = SequenceSet(range(50), split_label_pairs(5)[0])
        >>> len(sequences)
        78400
        >>> sequences[torch.tensor([0, 1])].exemplars.tolist()
        [[0, 1, 0], [0, 1, 1]]
    """

    def __init__(self, classes: range, pairs: Tensor) -> None:
        self.classes = classes
        # In both orders, so that one number chooses an ordered pair.
        self.ordered_pairs = torch.cat([pairs, pairs.flip(1)])

    def __len__(self) -> int:
        """Return the number of sequences."""
        return 2 * len(self.ordered_pairs) * len(self.classes) * (len(self.classes) - 1)

    def __getitem__(self, numbers: Tensor) -> FewShotBatch:
        """Return the sequences with these numbers, int64 (S,)."""
        query, rest = numbers % 2, numbers // 2
        labels = self.ordered_pairs[rest % len(self.ordered_pairs)]
        rest = rest // len(self.ordered_pairs)
        first, second = rest // (len(self.classes) - 1), rest % (len(self.classes) - 1)
        context = torch.stack([first, second + (second >= first)], dim=1) + self.classes.start
        choice = query[:, None]
        exemplars = torch.cat([context, context.gather(1, choice)], dim=1)
        return FewShotBatch(exemplars, labels, labels.gather(1, choice).squeeze(1))


class SequenceStream:
    """An endless stream of sequences drawn with replacement; where one reads decides what one gets.

    Args:
        sequences: What is drawn from.
        seed: Seed of the stream.

    Example:
        >>> stream = SequenceStream(SequenceSet(range(50), split_label_pairs(5)[0]), seed=3)
        >>> whole, part = stream.read(0, 100_000), stream.read(70_000, 70_032)
        >>> bool((whole.exemplars[70_000:70_032] == part.exemplars).all())
        True
    """

    def __init__(self, sequences: SequenceSet, seed: int) -> None:
        self.sequences, self.seed = sequences, seed
        self._block: tuple[int, FewShotBatch] | None = None

    def read(self, start: int, stop: int) -> FewShotBatch:
        """Return the sequences start, start + 1, ..., stop - 1 of the stream."""
        parts = []
        for number in range(start // BLOCK, -(-stop // BLOCK)):
            first = number * BLOCK
            bounds = slice(max(start - first, 0), min(stop - first, BLOCK))
            parts.append([tensor[bounds] for tensor in self._read_block(number)])
        if len(parts) == 1:
            return FewShotBatch(*parts[0])
        return FewShotBatch(*(torch.cat(pieces) for pieces in zip(*parts, strict=True)))

    def _read_block(self, number: int) -> FewShotBatch:
        if self._block is None or self._block[0] != number:
            generator = np.random.default_rng(derive_seed(self.seed, "sequences", number))
            drawn = torch.from_numpy(generator.integers(len(self.sequences), size=BLOCK))
            self._block = number, self.sequences[drawn]
        return self._block[1]
