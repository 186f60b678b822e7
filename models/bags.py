"""Ragged bags (the patches of each patient) packed one behind another, and the operations on them.

Shapes: B bags (patients) of a batch, N rows (patches) of all bags together, D features of a row, K columns of
weights, d width.

Every operation works bag by bag on contiguous rows: a bag's result depends on its own rows alone, whatever else stands
in the batch (a NaN stays in its bag), and no atomic additions make it differ from run to run. An empty bag gives zeros
with zero gradients. Pointers may also be given as a list of ints, which spares the wait for a device.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ..batches import MODALITIES, MultimodalInputs
from ..errors import InputError

__all__ = [
    "MODALITIES",
    "MultimodalInputs",
    "PackedBags",
    "Pointers",
    "pack",
    "packed_slides",
    "segment_expand",
    "segment_mean",
    "segment_softmax",
    "segment_sum",
    "segment_weighted_sum",
    "split_bags",
]

Pointers = Tensor | Sequence[int]


class PackedBags(NamedTuple):
    """The rows of B bags one behind another: bag b is ``features[pointers[b]:pointers[b + 1]]``.

    Attributes:
        features: (N, D), any floating dtype; N may be 0.
        pointers: (B + 1,) int64, not decreasing, from 0 to N.

    Example:
        >>> bags = pack([torch.ones(2, 3), torch.zeros(0, 3), torch.ones(1, 3)])
        >>> bags.features.shape, bags.pointers.tolist(), bags.num_bags, bags.sizes.tolist()
        (torch.Size([3, 3]), [0, 2, 2, 3], 3, [2, 0, 1])
    """

    features: Tensor
    pointers: Tensor

    @property
    def num_bags(self) -> int:
        """B, the number of bags, empty ones included."""
        return self.pointers.numel() - 1

    @property
    def sizes(self) -> Tensor:
        """(B,) int64, the number of rows of every bag."""
        return self.pointers.diff()


def packed_slides(inputs: MultimodalInputs) -> PackedBags:
    """Return the patches of multimodal inputs with their pointers.

    Example:
        >>> inputs = MultimodalInputs(
        ...     torch.zeros(2, 5), *pack([torch.ones(4, 3), torch.zeros(0, 3)]), torch.zeros(2, 0),
        ...     torch.tensor([[True, True, False], [True, False, False]]))
        >>> packed_slides(inputs).num_bags
        2
    """
    return PackedBags(inputs.bags, inputs.pointers)


def pack(bags: Sequence[Tensor], names: Sequence[str] | None = None) -> PackedBags:
    """Put bags one behind another.

    Args:
        bags: One (n_i, D) tensor per bag; n_i may be 0.
        names: What the bags are called in a message (patient ids); by default their positions.

    Raises:
        InputError: If there is no bag, a bag is not two-dimensional or its width is not that of the first.

    Example:
        >>> pack([torch.ones(2, 3), torch.ones(4, 3)]).pointers
        tensor([0, 2, 6])
    """
    if not bags:
        raise InputError("bags is empty; pack needs at least one bag, which may hold no rows")
    width = bags[0].shape[-1] if bags[0].dim() else 0
    for position, bag in enumerate(bags):
        if bag.dim() != 2 or bag.shape[1] != width:
            name = names[position] if names is not None else position
            raise InputError(f"bag {name} has shape {tuple(bag.shape)}; every bag must be (patches, {width})")
    sizes = torch.tensor([0, *(bag.shape[0] for bag in bags)], device=bags[0].device)
    return PackedBags(torch.cat(list(bags)), sizes.cumsum(0))


def split_bags(values: Tensor, pointers: Pointers) -> tuple[Tensor, ...]:
    """Return one view per bag of packed values (N, ...).

    Raises:
        InputError: If the pointers do not run from 0 to N without decreasing.

    Example:
        >>> [part.tolist() for part in split_bags(torch.arange(3), torch.tensor([0, 2, 2, 3]))]
        [[0, 1], [], [2]]
    """
    bounds = _bounds(pointers)
    sizes = [end - start for start, end in pairwise(bounds)]
    if not sizes or bounds[0] != 0 or bounds[-1] != values.shape[0] or min(sizes) < 0:
        raise InputError(f"pointers is {bounds}; it must run from 0 to the {values.shape[0]} rows without decreasing")
    return torch.split(values, sizes)


def segment_sum(values: Tensor, pointers: Pointers) -> Tensor:
    """Sum the rows of every bag: (N, ...) -> (B, ...).

    Example:
        >>> segment_sum(torch.tensor([[1.0], [2.0], [5.0]]), torch.tensor([0, 2, 2, 3])).flatten()
        tensor([3., 0., 5.])
    """
    return torch.stack([part.sum(0) for part in split_bags(values, pointers)])


def segment_mean(values: Tensor, pointers: Pointers) -> Tensor:
    """Average the rows of every bag: (N, ...) -> (B, ...); zeros for an empty bag.

    Example:
        >>> segment_mean(torch.tensor([[1.0], [2.0], [5.0]]), torch.tensor([0, 2, 2, 3])).flatten()
        tensor([1.5000, 0.0000, 5.0000])
    """
    return torch.stack([part.sum(0) / max(part.shape[0], 1) for part in split_bags(values, pointers)])


def segment_softmax(values: Tensor, pointers: Pointers) -> Tensor:
    """Softmax over the rows of every bag, column by column: (N, ...) -> (N, ...).

    Example:
        >>> segment_softmax(torch.tensor([0.0, 0.0, 7.0]), torch.tensor([0, 2, 2, 3]))
        tensor([0.5000, 0.5000, 1.0000])
    """
    return torch.cat([part.softmax(0) for part in split_bags(values, pointers)])


def segment_weighted_sum(weights: Tensor, values: Tensor, pointers: Pointers) -> Tensor:
    """Sum the rows of every bag once per column of weights: (N, K), (N, d) -> (B, K, d).

    One matrix product per bag: the (N, K, d) tensor of single contributions never exists.

    Example:
        >>> weights = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
        >>> segment_weighted_sum(weights, torch.tensor([[2.0], [4.0]]), torch.tensor([0, 2])).tolist()
        [[[4.0], [2.0]]]
    """
    pairs = zip(split_bags(weights, pointers), split_bags(values, pointers), strict=True)
    return torch.stack([weight_nK.T @ value_nd for weight_nK, value_nd in pairs])


def segment_expand(values: Tensor, pointers: Pointers) -> Tensor:
    """Give every row the value of its bag: (B, ...) -> (N, ...).

    Example:
        >>> segment_expand(torch.tensor([7.0, 8.0, 9.0]), torch.tensor([0, 2, 2, 3]))
        tensor([7., 7., 9.])
    """
    sizes = [end - start for start, end in pairwise(_bounds(pointers))]
    return torch.cat([value.expand(size, *value.shape) for value, size in zip(values, sizes, strict=True)])


def _bounds(pointers: Pointers) -> list[int]:
    return pointers.tolist() if isinstance(pointers, Tensor) else list(pointers)
