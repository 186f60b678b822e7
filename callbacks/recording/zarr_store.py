"""Recordings as Zarr arrays; zarr is an extra."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...errors import InputError
from .tables import Choice, Entries, Moments, Values

__all__ = ["ZarrStore", "import_zarr", "read_group"]

_NUMBERS = ("record", "step", "epoch", "dataloader", "count")


def import_zarr() -> Any:
    """Return the module.

    Raises:
        InputError: If it is not installed; the message has the command.
    """
    try:
        import zarr
    except ImportError as error:
        raise InputError("Zarr files need the package zarr; run: pip install 'zarr>=3'") from error
    return zarr


class ZarrStore:
    """A folder with one Zarr group per rank.

    Statistics: ``PHASE/SITE/STATISTIC`` (records, kept axes) beside ``record``, ``step``, ``epoch``, ``dataloader``
    and ``count`` (records,). Tensors: ``PHASE/SITE/RECORD-DATALOADER-BATCH-CALL``, with the rest as attributes.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self.folder, self.rank = folder, rank
        self._zarr = import_zarr()

    def write(self, entries: Entries, statistics: Sequence[str]) -> None:
        """Append."""
        root = self._zarr.open_group(str(self.folder / f"rank{self.rank}"), mode="a")
        for entry in entries:
            group = root.require_group(f"{entry.session.phase}/{_safe(entry.site.name)}")
            if isinstance(entry, Values):
                _add_tensor(group, entry)
            else:
                _add_moments(group, entry, statistics)

    def forget(self, choice: Choice) -> None:
        """Delete records."""
        path = self.folder / f"rank{self.rank}"
        if not path.is_dir():
            return
        for phase, group in site_groups(self._zarr.open_group(str(path), mode="a")):
            if "record" in group:
                _forget_rows(group, phase, choice)
            else:
                _forget_tensors(group, phase, choice)


def site_groups(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield phase and group of every site."""
    for phase, sites in sorted(root.groups()):
        for _, group in sorted(sites.groups(), key=lambda pair: pair[0]):
            yield phase, group


def _safe(site: str) -> str:
    return site.replace("/", "_").replace(":", "@")


def _add_tensor(group: Any, entry: Values) -> None:
    key = entry.key()
    tensor = entry.tensor.float() if entry.tensor.dtype == torch.bfloat16 else entry.tensor
    name = "-".join(f"{key[part]:06d}" for part in ("record", "dataloader", "batch", "call"))
    dtype = str(entry.tensor.dtype).removeprefix("torch.")
    group.create_array(name, data=tensor.numpy(), overwrite=True).attrs.update({**key, "dtype": dtype})


def _add_moments(group: Any, entry: Moments, statistics: Sequence[str]) -> None:
    key = {**entry.key(), "count": entry.summary.count}
    rows = {name: np.asarray([key[name]], dtype=np.int64) for name in _NUMBERS}
    rows |= {name: entry.summary.values(name).numpy()[None] for name in statistics}
    for name, row in rows.items():
        if name not in group:
            group.create_array(name, shape=(0, *row.shape[1:]), chunks=(256, *row.shape[1:]), dtype=row.dtype)
        group[name].append(row, axis=0)
    group.attrs.update({"site": entry.site.name, "axes": list(entry.summary.axes), "names": list(entry.site.units)})


def _forget_rows(group: Any, phase: str, choice: Choice) -> None:
    known = pd.DataFrame({"record": group["record"][:], "step": group["step"][:], "phase": phase})
    kept = ~choice(known).to_numpy()
    for _, array in group.arrays() if not kept.all() else ():
        rows = array[:][kept]
        array.resize(rows.shape)
        array[:] = rows


def _forget_tensors(group: Any, phase: str, choice: Choice) -> None:
    names = [name for name, _ in group.arrays()]
    known = pd.DataFrame([dict(group[name].attrs) for name in names], columns=["record", "phase", "step"])
    for name, gone in zip(names, choice(known), strict=True):
        if gone:
            del group[name]


def read_group(path: Path) -> list[pd.DataFrame]:
    """Return the tables of one rank's group, with the columns of the Parquet files."""
    root = import_zarr().open_group(str(path), mode="r")
    return [
        _read_rows(group, phase) if "record" in group else _read_tensors(group) for phase, group in site_groups(root)
    ]


def _read_rows(group: Any, phase: str) -> pd.DataFrame:
    axes, names = list(group.attrs["axes"]), list(group.attrs["names"])
    numbers = {name: group[name][:] for name in _NUMBERS}
    statistics = {name: array[:] for name, array in sorted(group.arrays()) if name not in _NUMBERS}
    shape = next(iter(statistics.values())).shape
    places = np.indices(shape).reshape(len(shape), -1)
    table = pd.DataFrame({name: values[places[0]] for name, values in numbers.items()})
    table["phase"], table["site"] = phase, group.attrs["site"]
    for axis, place in zip(axes, places[1:], strict=True):
        table[axis] = pd.array(place, dtype="Int64")
    table["name"] = np.asarray(names, dtype=object)[table["unit"]] if names and "unit" in axes else np.nan
    for name, values in statistics.items():
        table[name] = values.reshape(-1)
    return table


def _read_tensors(group: Any) -> pd.DataFrame:
    rows = []
    for _, array in sorted(group.arrays()):
        values = array[:]
        rows.append({**dict(array.attrs), "shape": list(values.shape), "values": values})
    return pd.DataFrame(rows)
