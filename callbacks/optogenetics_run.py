"""What a protocol has to do with the run around it: its length, its checkpoints, its folder."""

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, Trainer
from torch import Tensor

from ..errors import InputError
from ..stimulation.clock import TimeUnit
from ..stimulation.protocol import PhotostimulationRecord

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["compare_protocols", "length_of_run", "mean_over_ranks", "print_table", "save_record"]

log = logging.getLogger(__name__)


def mean_over_ranks(trainer: Trainer) -> Callable[[Tensor], Tensor] | None:
    """Return what takes the mean of a tensor over all processes; None where there is one."""
    if trainer.world_size == 1:
        return None
    return lambda values: trainer.strategy.reduce(values, reduce_op="mean")  # type: ignore[return-value]


def length_of_run(trainer: Trainer, loaded: bool) -> dict[TimeUnit, float]:
    """Return how long a run lasts in the units in which that is known.

    Args:
        trainer: The trainer.
        loaded: Whether the data are loaded. Asking for the number of batches loads them; before training starts that is
            too early for a resumed run, whose loader would not be told how far it had come.
    """
    steps = trainer.estimated_stepping_batches if loaded else trainer.max_steps
    known: dict[TimeUnit, float] = {"steps": steps} if steps not in (-1, float("inf")) else {}
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        known["epochs"] = trainer.max_epochs
    return known


def compare_protocols(callback: Callback, trainer: Trainer, states: Mapping[str, Any], *, force: bool) -> None:
    """Refuse a checkpoint that was trained under another protocol than that of a callback, or under none.

    Args:
        callback: The callback `Optogenetics`.
        trainer: The trainer, whose other callbacks are known by their keys.
        states: States of callbacks in the checkpoint.
        force: Whether to go on nevertheless, with a warning.

    Raises:
        InputError: If the checkpoint has no state of the protocol.
    """
    if callback.state_key in states:
        return
    here = {other.state_key for other in trainer.callbacks}  # type: ignore[attr-defined]
    others = [key for key in states if key.startswith(type(callback).__qualname__) and key not in here]
    trained = f"protocol {states[others[0]].get('hash')}" if others else "no protocol"
    message = f"the checkpoint was trained under {trained}, this run has protocol {callback.protocol.hash}"  # type: ignore[attr-defined]
    if not force:
        raise InputError(f"{message}; take the same protocol, or set force to true to go on under this one")
    log.warning("%s, which begins now", message)


def print_table(table: "Table") -> None:
    """Print a table, wide enough to be read where the output is no terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(table)


def save_record(record: PhotostimulationRecord, trainer: Trainer, name: str | None) -> None:
    """Write a record into the run folder, and into TensorBoard; nowhere in a run without loggers."""
    folder = trainer.log_dir if trainer.loggers else None  # asked for on every rank: it is broadcast
    if not trainer.is_global_zero or folder is None:
        return
    record.save(Path(folder, name) if name else folder)
    for logger in trainer.loggers:
        experiment = getattr(logger, "experiment", None)
        if hasattr(experiment, "add_text"):
            experiment.add_text(name or "photostimulation", record.markdown(), trainer.global_step)  # type: ignore[union-attr]
