"""What a recorder has read and not yet written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...models import Site
from .summary import Summary
from .tables import Moments, Session, Values

__all__ = ["Collection", "Reading"]


@dataclass
class Reading:
    """The session that runs, and which batch of it passes through the network."""

    session: Session
    rank: int
    dataloader: int = 0
    batch: int = 0


class Collection:
    """Readings of running sessions, and of finished ones until they are written.

    Args:
        keep: Axes that are kept.
        threshold: A value above it counts as active.
        tensors: Whether activations are kept as they are, in main memory, instead of their moments.

    Attributes:
        bytes: Memory that finished readings take.
    """

    def __init__(self, keep: Sequence[str], threshold: float, tensors: bool) -> None:
        self.keep, self.threshold, self.tensors = tuple(keep), threshold, tensors
        self.bytes = 0
        self._summaries: dict[Session, dict[tuple[int, str], Moments]] = {}
        self._calls: dict[Session, Counter[tuple[int, int, str]]] = {}
        self._finished: list[Any] = []

    def add(self, reading: Reading, site: Site, x: Tensor) -> None:
        """Take in an activation; statistics stay on its device."""
        session, dataloader = reading.session, reading.dataloader
        if self.tensors:
            calls = self._calls.setdefault(session, Counter())
            key = (dataloader, reading.batch, site.name)
            value = Values(session, dataloader, site, reading.batch, calls[key], reading.rank, _own_copy(x))
            calls[key] += 1
            self._finished.append(value)
            self.bytes += value.tensor.numel() * value.tensor.element_size()
            return
        new = Moments(session, dataloader, site, Summary.of(x, site.axes_of(x), self.keep, self.threshold))
        known = self._summaries.setdefault(session, {})
        old = known.get((dataloader, site.name))
        known[dataloader, site.name] = new if old is None else old.merged(new)

    def seen(self, session: Session) -> set[str]:
        """Return the names of the sites that were read in a running session."""
        return {name for *_, name in (*self._summaries.get(session, ()), *self._calls.get(session, ()))}

    def finish(self, session: Session) -> None:
        """Close a session."""
        self._calls.pop(session, None)
        for moments in self._summaries.pop(session, {}).values():
            self._finished.append(moments)
            self.bytes += moments.summary.bytes

    def forsake(self) -> None:
        """Drop running sessions, which were cut off."""
        self._summaries, self._calls = {}, {}

    def taken(self) -> list[Any]:
        """Return what was finished, in main memory, and forget it."""
        finished, self._finished, self.bytes = self._finished, [], 0
        return finished if self.tensors else _in_main_memory(finished)


def _own_copy(x: Tensor) -> Tensor:
    x = x.detach()
    return x.clone() if x.device.type == "cpu" else x.cpu()


def _in_main_memory(entries: Sequence[Moments]) -> list[Moments]:
    """Move all moments at once: one wait for the device, not one per site."""
    if not entries:
        return []
    moments = [entry.summary.moments for entry in entries]
    kind = torch.float64 if any(each.dtype == torch.float64 for each in moments) else torch.float32
    flat = torch.cat([each.reshape(-1).to(kind) for each in moments]).cpu()
    parts = flat.split([each.numel() for each in moments])
    return [
        replace(entry, summary=replace(entry.summary, moments=part.reshape(each.shape)))
        for entry, part, each in zip(entries, parts, moments, strict=True)
    ]
