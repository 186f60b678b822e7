"""Dropout masks of one training step: what every replica would draw alone.

Legend of shapes: R replicas, N units, B batch.
"""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from ..layers.dropout import draw_mask

__all__ = ["StepMasks"]


class StepMasks:
    """One generator per distinct seed; replicas of the same seed share their masks.

    A network alone draws mask after mask, layer by layer, from the global generator that its step has seeded. Here
    replicas are worked through in blocks: every block starts again at the first mask, and a seed that several replicas
    have keeps its masks until the pass is over.

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
        self._kept: dict[int, list[Tensor]] = {}
        self._place = 0

    def seed(self, seeds: Sequence[int] | None) -> None:
        """Take the seed of every replica for the coming step; None draws from torch's global generator."""
        self._seeds = None if seeds is None else [int(seed) for seed in seeds]
        self._shared = {seed for seed, count in Counter(self._seeds or ()).items() if count > 1}
        self._generators.clear()

    def start_pass(self) -> None:
        """Begin a pass over all replicas: masks come fresh from the generators."""
        self._kept.clear()
        self._place = 0

    def start_block(self) -> None:
        """Begin the next block of replicas of the same pass."""
        self._place = 0

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
        place, self._place = self._place, self._place + 1
        if self._seeds is None:
            return draw_mask(like.new_empty(count, *like.shape), p, factor=factor)
        seeds = self._seeds[first : first + count]
        if len(set(seeds)) == 1 and seeds[0] in self._shared:
            return self._kept_mask(seeds[0], place, like, p, factor).unsqueeze(0)
        masks = like.new_empty(count, *like.shape)
        for mask, seed in zip(masks, seeds, strict=True):
            if seed in self._shared:
                mask.copy_(self._kept_mask(seed, place, like, p, factor))
            else:
                draw_mask(mask, p, self._generator(seed, like.device), factor)
        return masks

    def _kept_mask(self, seed: int, place: int, like: Tensor, p: float, factor: float) -> Tensor:
        kept = self._kept.setdefault(seed, [])
        if len(kept) == place:
            kept.append(draw_mask(like.new_empty(like.shape), p, self._generator(seed, like.device), factor))
        return kept[place]

    def _generator(self, seed: int, device: torch.device) -> torch.Generator:
        if seed not in self._generators:
            self._generators[seed] = torch.Generator(device).manual_seed(seed)
        return self._generators[seed]
