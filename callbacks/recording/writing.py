"""Where recordings go: Parquet, Zarr or the logger."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from lightning.pytorch import Trainer

from .tables import Choice, Entries, Moments, Session, Values, statistics_table, tensors_table
from .zarr_store import ZarrStore

__all__ = ["DESTINATIONS", "Store", "open_store"]

DESTINATIONS = ("parquet", "zarr", "logger")
# Bytes below which a file is rewritten with more rows: every checkpoint makes the recorder write.
_SMALL = 2**20


class Store(Protocol):
    """What keeps recordings.

    Example:
        >>> class Memory:
        ...     def __init__(self):
        ...         self.entries = []
        ...     def write(self, entries, statistics):
        ...         self.entries += entries
        ...     def forget(self, choice):
        ...         self.entries = []
        >>> store: Store = Memory()
    """

    def write(self, entries: Entries, statistics: Sequence[str]) -> None:
        """Keep entries: `Moments` with these statistics, or `Values`."""
        ...

    def forget(self, choice: Choice) -> None:
        """Delete what a choice names: what a resumed run records again."""
        ...


def open_store(destination: str, trainer: Trainer, filename: str) -> Store | None:
    """Return the store of a run, or None where the run has no folder; to be called on every rank.

    Args:
        destination: "parquet", "zarr" or "logger".
        trainer: The trainer.
        filename: Name of the folder of the files, without suffix.

    Example:
        >>> trainer = Trainer(fast_dev_run=True, accelerator="cpu", enable_progress_bar=False)
        >>> open_store("parquet", trainer, "activations") is None
        True
    """
    folder = trainer.log_dir  # asked for on every rank: it is broadcast
    if destination == "logger":
        return LoggerStore(trainer)
    if not folder:
        return None
    if destination == "zarr":
        return ZarrStore(Path(folder, f"{filename}.zarr"), trainer.global_rank)
    return ParquetStore(Path(folder, filename), trainer.global_rank)


class ParquetStore:
    """A folder of Parquet files: some per rank, each complete when it appears; small ones grow by what comes next."""

    def __init__(self, folder: Path, rank: int) -> None:
        self.folder, self.rank = folder, rank

    def parts(self) -> list[Path]:
        """Return the files of this rank, in the order in which they were written."""
        return sorted(self.folder.glob(f"rank{self.rank}-*.parquet"))

    def write(self, entries: Entries, statistics: Sequence[str]) -> None:
        """Write a file."""
        moments = [entry for entry in entries if isinstance(entry, Moments)]
        values = [entry for entry in entries if isinstance(entry, Values)]
        self._write(statistics_table(moments, statistics) if moments else tensors_table(values))

    def forget(self, choice: Choice) -> None:
        """Rewrite the files without some rows; delete those that have none left."""
        for path in self.parts():
            gone = choice(pd.read_parquet(path, columns=["record", "phase", "step"])).to_numpy()
            if gone.all():
                path.unlink()
            elif gone.any():
                _replace(path, pq.read_table(path).filter(pa.array(~gone)))

    def _write(self, table: pd.DataFrame) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = self.parts()
        if parts and parts[-1].stat().st_size < _SMALL:
            table, path = pd.concat([pd.read_parquet(parts[-1]), table], ignore_index=True), parts[-1]
        else:
            last = int(parts[-1].stem.rpartition("-")[2]) if parts else -1
            path = self.folder / f"rank{self.rank}-{last + 1:06d}.parquet"
        _replace(path, pa.Table.from_pandas(table, preserve_index=False))


def _replace(path: Path, table: pa.Table) -> None:
    draft = path.with_suffix(".draft")
    pq.write_table(table, draft)
    draft.replace(path)


class LoggerStore:
    """The run's loggers: one scalar per phase, site and statistic."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def write(self, entries: Entries, statistics: Sequence[str]) -> None:
        """Log ``activations/PHASE/SITE/STATISTIC`` at the step that was recorded."""
        sessions: dict[Session, dict[str, float]] = {}
        for entry in entries:
            if isinstance(entry, Moments):
                sessions.setdefault(entry.session, {}).update(_named(entry, statistics))
        for session, values in sessions.items():
            for logger in self.trainer.loggers:
                logger.log_metrics(values, session.step)

    def forget(self, choice: Choice) -> None:
        """Leave the logger's records alone: they are its own."""


def _named(entry: Moments, statistics: Sequence[str]) -> dict[str, float]:
    place = f"activations/{entry.session.phase}/{entry.site.name}"
    place += f"/dataloader_{entry.dataloader}" if entry.dataloader else ""
    return {f"{place}/{name}": float(entry.summary.values(name)) for name in statistics}
