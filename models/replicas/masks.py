"""Dropout masks of one training step: what every replica would draw alone.

Legend of shapes: R replicas, N units, B batch.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..layers.dropout import count_bits, draw_mask, mask_of_bits, random_bits

__all__ = ["StepMasks"]


class StepMasks:
    """One generator per distinct seed; replicas of the same seed share their masks.

    A network alone draws mask after mask, layer by layer, from the global generator that its step has seeded. Here
    replicas are worked through in blocks, by several threads: every block starts at the first mask, and a seed that
    several replicas have keeps its random bits until the pass is over.

    Example:
        >>> masks = StepMasks()
        >>> masks.seed([3, 3, 4])
        >>> masks.start_pass()
        >>> mask = masks.draw(0, 3, torch.empty(5, 2), 0.5)
        >>> mask.shape, bool((mask[0] == mask[1]).all()), bool((mask[0] == mask[2]).all())
        (torch.Size([3, 5, 2]), True, False)
    """

    def __init__(self) -> None:
        self._seeds: list[int] | None = None
        self._shared: set[int] = set()
        self._generators: dict[int, torch.Generator] = {}
        self._spare: dict[torch.device, list[torch.Generator]] = {}
        self._kept: dict[int, list[Tensor]] = {}
        self._places: Counter[int] = Counter()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        # Generators cannot be copied; what copies need is seeded anew at every step.
        fresh = {"_generators": {}, "_spare": {}, "_kept": {}}
        return {name: fresh.get(name, value) for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    @property
    def is_seeded(self) -> bool:
        """Whether replicas have seeds, so that the order in which blocks draw decides nothing."""
        return self._seeds is not None

    def seed(self, seeds: Sequence[int] | None) -> None:
        """Take the seed of every replica for the coming step; None draws from torch's global generator."""
        self._seeds = None if seeds is None else [int(seed) for seed in seeds]
        self._shared = {seed for seed, count in Counter(self._seeds or ()).items() if count > 1}
        for generator in self._generators.values():
            self._spare.setdefault(generator.device, []).append(generator)
        self._generators.clear()

    def start_pass(self) -> None:
        """Begin a pass over all replicas: masks come fresh from the generators."""
        self._kept.clear()
        self._places.clear()

    def draw(self, first: int, count: int, like: Tensor, p: float, factor: float = 1.0) -> Tensor:
        """Draw the next masks of a block.

        Args:
            first: Place of the block's first replica.
            count: Its number of replicas.
            like: A tensor (N, B) of the type and device of the masks.
            p: Share of zeros.
            factor: What else the masks are multiplied by.

        Returns:
            Masks (count, N, B), or (1, N, B) where all are the same.
        """
        place = self._places[first]
        self._places[first] += 1
        if self._seeds is None:
            return draw_mask(like.new_empty(count, *like.shape), p, factor=factor)
        seeds = self._seeds[first : first + count]
        if len(set(seeds)) == 1 and seeds[0] in self._shared:
            bits = self._kept_bits(seeds[0], place, like)
            return mask_of_bits(bits, torch.empty_like(like), p, factor).unsqueeze(0)
        # Bits replica by replica, all the rest at once.
        bits = torch.empty(count, count_bits(like.numel()), dtype=torch.int64, device=like.device)
        for row, seed in zip(bits, seeds, strict=True):
            if seed in self._shared:
                row.copy_(self._kept_bits(seed, place, like))
            else:
                random_bits(row, self._generator(seed, like.device))
        return mask_of_bits(bits, like.new_empty(count, *like.shape), p, factor)

    def _kept_bits(self, seed: int, place: int, like: Tensor) -> Tensor:
        with self._lock:  # blocks may be worked through by several threads
            kept = self._kept.setdefault(seed, [])
            if len(kept) == place:
                bits = torch.empty(count_bits(like.numel()), dtype=torch.int64, device=like.device)
                kept.append(random_bits(bits, self._generator(seed, like.device)))
            return kept[place]

    def _generator(self, seed: int, device: torch.device) -> torch.Generator:
        generator = self._generators.get(seed)
        if generator is None:
            spare = self._spare.setdefault(device, [])
            generator = (spare.pop() if spare else torch.Generator(device)).manual_seed(seed)
            self._generators[seed] = generator
        return generator
