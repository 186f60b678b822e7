"""Statistics of all ranks together."""

from collections.abc import Sequence

import torch.distributed
from lightning.pytorch import Trainer

from .tables import Moments

__all__ = ["anywhere", "over_ranks"]


def anywhere(trainer: Trainer, decision: bool) -> bool:
    """Return whether any rank decides so; all ranks ask together."""
    if trainer.world_size == 1:
        return decision
    return trainer.strategy.reduce_boolean_decision(decision, all=False)


def over_ranks(trainer: Trainer, entries: Sequence[Moments]) -> Sequence[Moments]:
    """Return, on the first rank, the moments over the batches of all; nothing on the others."""
    if trainer.world_size == 1:
        return entries
    everywhere: list[Sequence[Moments]] = [[] for _ in range(trainer.world_size)]
    torch.distributed.all_gather_object(everywhere, list(entries))
    if not trainer.is_global_zero:
        return []
    merged: dict[tuple[int, int, str], Moments] = {}
    for entry in (each for rank in everywhere for each in rank):
        key = (entry.session.record, entry.dataloader, entry.site.name)
        before = merged.get(key)
        merged[key] = entry if before is None else before.merged(entry)
    return list(merged.values())
