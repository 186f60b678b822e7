"""Curveball trades in all blocks at once: random matrices of zeros and ones with given row and column sums.

Legend: E edges, N nodes with edges at one end. The ends of all blocks are numbered through, so that one pass over all
edges trades in every block, and nodes of different blocks never meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..layered import EdgeBlock
from ..matrices import BoolArray, IntArray
from .base import sorted_pairs
from .random_stream import RandomStream

__all__ = ["Ends", "Wires", "is_nested", "trade"]


@dataclass(frozen=True)
class Ends:
    """The nodes at one end of all edges.

    Args:
        blocks: Block of each node, (N,), ascending.
        places: Place of each node in its layer, (N,).
    """

    blocks: IntArray
    places: IntArray


@dataclass(frozen=True)
class Wires:
    """Edges of several blocks in one numbering of their ends.

    Args:
        sources: Number of the node that each edge leaves, (E,).
        targets: Number of the node that each edge enters, (E,).
        source_ends: What the numbers of `sources` mean.
        target_ends: What the numbers of `targets` mean.
    """

    sources: IntArray
    targets: IntArray
    source_ends: Ends
    target_ends: Ends

    @classmethod
    def of(cls, blocks: Sequence[EdgeBlock]) -> Self:
        """Number the ends of all blocks through."""
        sources, source_ends = _numbered([block.pairs[0] for block in blocks])
        targets, target_ends = _numbered([block.pairs[1] for block in blocks])
        return cls(sources, targets, source_ends, target_ends)

    def pairs(self, sources: IntArray, targets: IntArray) -> list[IntArray]:
        """Return the pairs of every block for other edges in the same numbering."""
        block = self.source_ends.blocks[sources]
        pairs = np.stack([self.source_ends.places[sources], self.target_ends.places[targets]])
        return [sorted_pairs(pairs[:, block == number]) for number in range(self.source_ends.blocks[-1] + 1)]


def _numbered(sides: Sequence[IntArray]) -> tuple[IntArray, Ends]:
    numbers, places, count = [], [], 0
    for side in sides:
        nodes, number = np.unique(side, return_inverse=True)
        numbers.append(number + count)
        places.append(nodes)
        count += len(nodes)
    blocks = np.repeat(np.arange(len(sides)), [len(nodes) for nodes in places])
    return np.concatenate(numbers), Ends(blocks, np.concatenate(places))


def trade(wires: Wires, fixed: BoolArray, rounds: int, stream: RandomStream) -> tuple[IntArray, IntArray]:
    """Let every node trade with a random other node at its end of its block, `rounds` times at either end.

    Two nodes put the neighbours that only one of them has into a heap, and take as many as they gave, at random. A
    round pairs all nodes of an end at random (with an odd number one sits out), so it makes N / 2 trades. Each trade
    is as likely as its reverse, hence the uniform distribution is stationary. Trading at both ends in turn mixes
    twice as fast as at one.

    Args:
        wires: The edges.
        fixed: Whether an edge stays where it is, (E,).
        rounds: Number of rounds at each end.
        stream: Where the numbers come from.

    Returns:
        Sources and targets of the edges, in another order.
    """
    tables = [_Table.of(wires.source_ends, len(wires.target_ends.places))]
    tables.append(_Table.of(wires.target_ends, len(wires.source_ends.places)))
    traders, goods, stays = wires.sources, wires.targets, fixed.astype(np.int64)
    for number in range(2 * rounds):
        traders, goods, stays = tables[number % 2].trade(traders, goods, stays, stream)
        traders, goods = goods, traders
    return traders, goods


@dataclass(frozen=True)
class _Table:
    """Seats of the nodes at one end: who sits at 2 k and 2 k + 1 trade with one another.

    Args:
        groups: Block of each node in the high bits, to shuffle nodes within blocks, (N,).
        seats: Seats to fill, block by block; one with an odd number of nodes leaves its last seat empty, (N,).
        good_bits: Bits that hold the number of a neighbour.
        pair_bits: Bits that hold the number of a pair.
    """

    groups: np.ndarray
    seats: IntArray
    good_bits: int
    pair_bits: int

    @classmethod
    def of(cls, ends: Ends, goods: int) -> Self:
        sizes = np.bincount(ends.blocks)
        skipped = np.cumsum(sizes % 2) - sizes % 2
        seats = np.arange(len(ends.blocks)) + skipped[ends.blocks]
        groups = ends.blocks.astype(np.uint64) << np.uint64(48)
        return cls(groups, seats, int(goods).bit_length(), int(seats[-1]).bit_length())

    def trade(
        self, traders: IntArray, goods: IntArray, stays: IntArray, stream: RandomStream
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Trade once in every pair. A key holds, from the highest bit: pair, neighbour, which of the two, fixed."""
        seat_of, trader_at = self._seating(stream)
        bits, mask = self.good_bits, (1 << self.good_bits) - 1
        seat = seat_of[traders]
        key = ((seat >> 1) << (bits + 2)) | (goods << 2) | ((seat & 1) << 1) | stays
        key.sort()
        place = key >> 2
        twice = place[1:] == place[:-1]
        kept = (key & 1).astype(bool)
        kept[1:] |= twice
        kept[:-1] |= twice
        heap, key = key[~kept], key[kept]
        takers = np.repeat(trader_at, np.bincount(self._seat(heap), minlength=len(trader_at)))
        # The heaps in the order of the pairs, each shuffled; the first of a heap go to the node on the even seat.
        noise = (stream.words(len(heap)) >> np.uint64(self.pair_bits + 1)).astype(np.int64)
        heap = ((heap >> (bits + 2)) << (63 - self.pair_bits)) | (noise & ~mask) | ((heap >> 2) & mask)
        heap.sort()
        traders = np.concatenate([trader_at[self._seat(key)], takers])
        goods = np.concatenate([(key >> 2) & mask, heap & mask])
        return traders, goods, np.concatenate([key & 1, np.zeros_like(takers)])

    def _seating(self, stream: RandomStream) -> tuple[IntArray, IntArray]:
        order = np.argsort(self.groups | (stream.words(len(self.seats)) >> np.uint64(16)), kind="stable")
        seat_of, trader_at = np.empty_like(self.seats), np.zeros(self.seats[-1] + 2, dtype=np.int64)
        seat_of[order] = self.seats
        trader_at[self.seats] = order
        return seat_of, trader_at

    def _seat(self, key: IntArray) -> IntArray:
        return ((key >> (self.good_bits + 2)) << 1) | ((key >> 1) & 1)


def is_nested(sources: IntArray, targets: IntArray) -> bool:
    """Return whether no other edges have these degrees (Gale and Ryser: one sequence is the conjugate of the other)."""
    highest = int(sources.max(initial=0))
    conjugate = np.cumsum(np.bincount(sources, minlength=highest + 1)[::-1])[::-1][1:]
    return np.array_equal(conjugate, np.sort(targets[targets > 0])[::-1])
