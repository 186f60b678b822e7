"""Read what was recorded."""

from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import InputError
from ...stimulation.clock import PHASES
from .summary import STATISTICS
from .tables import KEYS
from .zarr_store import read_group

__all__ = ["read_activations"]


def read_activations(path: str | Path, filename: str = "activations") -> pd.DataFrame:
    """Return what `ActivationRecorder` wrote.

    Args:
        path: The run folder, or the folder of the recording in it.
        filename: Name of the recording in a run folder.

    Returns:
        For statistics a row per step, site and kept entry: record, phase, step, epoch, dataloader, site, the place on
        each kept axis, the unit's name where it has one, count, statistics. For tensors a row per tensor: values is an
        array of its shape. Ordered by phase, record, dataloader and site; `count` values stand behind each statistic.

    Raises:
        InputError: If there is no recording.

    Example:
        >>> read_activations("nowhere")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: no recording of activations in nowhere: neither Parquet files nor a Zarr group
    """
    folder = Path(path)
    tables: list[pd.DataFrame] = []
    for place in (folder, folder / filename, folder / f"{filename}.zarr"):
        tables += [pd.read_parquet(part) for part in sorted(place.glob("rank*-*.parquet"))]
        groups = sorted(group for group in place.glob("rank*") if group.is_dir())
        if groups:
            tables += [table for group in groups for table in read_group(group)]
    if not tables:
        raise InputError(f"no recording of activations in {path}: neither Parquet files nor a Zarr group")
    table = pd.concat(tables, ignore_index=True)
    return _shaped(table) if "values" in table else _ordered(table)


def _shaped(table: pd.DataFrame) -> pd.DataFrame:
    # by place: pandas would take arrays of equal shape for a table
    values = np.empty(len(table), dtype=object)
    for place, (flat, shape) in enumerate(zip(table["values"], table["shape"], strict=True)):
        values[place] = np.asarray(flat).reshape([int(size) for size in shape])
    table = table.assign(values=values, shape=[tuple(int(size) for size in shape) for shape in table["shape"]])
    columns = [*KEYS, "batch", "call", "rank", "shape", "dtype", "values"]
    order = ["dataloader", "site", "batch", "call", "rank"]
    return _sorted(table.reindex(columns=columns), order)


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    last = ["name", "count", *(name for name in STATISTICS if name in table)]
    axes = [name for name in table if name not in (*KEYS, *last)]
    return _sorted(table.reindex(columns=[*KEYS, *axes, *last]), ["dataloader", "site", *axes])


def _sorted(table: pd.DataFrame, last: list[str]) -> pd.DataFrame:
    phase = table["phase"].map(PHASES.index)
    return (
        table.assign(place=phase).sort_values(["place", "record", *last]).drop(columns="place").reset_index(drop=True)
    )
