"""What was recorded, as tables: one row per site, step and kept entry, or one row per tensor."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...models import Site
from .summary import Summary

__all__ = ["KEYS", "Choice", "Entries", "Moments", "Session", "Values", "statistics_table", "tensors_table"]

KEYS = ("record", "phase", "step", "epoch", "dataloader", "site")


@dataclass(frozen=True)
class Session:
    """A step of training, or a pass over evaluation data, that is recorded.

    Args:
        record: Its number among all that the recorder wrote.
        phase: What the batches are for.
        step: Optimizer updates that were done before it.
        epoch: Epoch of training.
    """

    record: int
    phase: str
    step: int
    epoch: int


@dataclass(frozen=True)
class Moments:
    """The summary of a site in a session."""

    session: Session
    dataloader: int
    site: Site
    summary: Summary

    def key(self) -> dict[str, Any]:
        """Return the columns `KEYS`."""
        return {**vars(self.session), "dataloader": self.dataloader, "site": self.site.name}

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of more batches of the same session and site."""
        return replace(self, summary=self.summary.merged(other.summary))


@dataclass(frozen=True)
class Values:
    """An activation as it was, in main memory: batch and call number the tensors of a site within a session."""

    session: Session
    dataloader: int
    site: Site
    batch: int
    call: int
    rank: int
    tensor: Tensor

    def key(self) -> dict[str, Any]:
        """Return the columns `KEYS`, and which tensor of them it is."""
        which = {"batch": self.batch, "call": self.call, "rank": self.rank}
        return {**vars(self.session), "dataloader": self.dataloader, "site": self.site.name, **which}


Entries = Sequence[Moments] | Sequence[Values]
# Given the columns "record", "phase" and "step", says which rows are forgotten: a column of bool.
Choice = Callable[[pd.DataFrame], Any]


def statistics_table(entries: Iterable[Moments], statistics: Sequence[str]) -> pd.DataFrame:
    """Return a row per session, site and entry of the kept axes."""
    frames = [_rows(entry, statistics) for entry in entries]
    axes = sorted({axis for frame in frames for axis in frame.columns if axis.startswith("axis:")})
    if not frames:
        return pd.DataFrame(columns=[*KEYS, "count", *statistics])
    table = pd.concat([frame.reindex(columns=[*KEYS, *axes, "name", "count", *statistics]) for frame in frames])
    table = table.astype(dict.fromkeys(axes, "Int64")).rename(columns=lambda name: name.removeprefix("axis:"))
    return table.reset_index(drop=True)


def _rows(entry: Moments, statistics: Sequence[str]) -> pd.DataFrame:
    summary = entry.summary
    shape = summary.moments.shape[1:]
    places = [place.reshape(-1) for place in np.indices(shape)] if shape else []
    columns: dict[str, Any] = dict(zip([f"axis:{axis}" for axis in summary.axes], places, strict=True))
    if entry.site.units and "unit" in summary.axes:
        columns["name"] = np.asarray(entry.site.units, dtype=object)[columns["axis:unit"]]
    columns["count"] = np.full(int(np.prod(shape)), summary.count)
    columns |= {name: summary.values(name).reshape(-1).numpy() for name in statistics}
    return pd.DataFrame({**columns, **entry.key()}).astype({"name": object} if "name" in columns else {})


def tensors_table(entries: Iterable[Values]) -> pd.DataFrame:
    """Return a row per tensor: its shape, its dtype, its values one after another in float32."""
    rows = [
        {
            **entry.key(),
            "shape": list(entry.tensor.shape),
            "dtype": str(entry.tensor.dtype).removeprefix("torch."),
            "values": entry.tensor.to(torch.float32).reshape(-1).numpy(),
        }
        for entry in entries
    ]
    return pd.DataFrame(rows)
