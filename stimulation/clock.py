"""What light goes by: how far training has come when a batch begins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["PHASES", "Clock", "Phase", "TimeUnit"]

Phase = Literal["train", "validate", "test", "predict"]
PHASES: tuple[Phase, ...] = ("train", "validate", "test", "predict")
TimeUnit = Literal["steps", "epochs", "samples", "tokens", "loss"]


@dataclass(frozen=True)
class Clock:
    """The state of training at the start of a batch; it stands still within a batch and outside training.

    Args:
        step: Optimizer updates that were done.
        epoch: Epochs that were done, a whole number.
        samples: Training samples seen by all ranks together.
        tokens: Training tokens seen by all ranks together.
        loss: Training loss of the batch before, mean over ranks; None before the first or where no light asks for it.
        metrics: Last logged values by name, the same on all ranks; empty where no light asks for them.
        phase: What the batch is for.
        first_row: Number of the batch's first sample on this rank, by which random light and random values tell samples
            apart; None: `samples`. Outside training it counts from the first sample that is evaluated.
        rows: Samples of the batch on all ranks together; None: as many as this rank has, on each.

    Example:
        >>> Clock(step=3, samples=96).now("samples")
        96
    """

    step: int = 0
    epoch: int = 0
    samples: int = 0
    tokens: int = 0
    loss: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    phase: Phase = "train"
    first_row: int | None = None
    rows: int | None = None

    def now(self, unit: TimeUnit) -> float | None:
        """Return the time in a unit; in "loss", None as long as there is none."""
        names = {"steps": "step", "epochs": "epoch", "samples": "samples", "tokens": "tokens", "loss": "loss"}
        return getattr(self, names[unit])

    @property
    def row(self) -> int:
        """Number of the batch's first sample on this rank."""
        return self.samples if self.first_row is None else self.first_row
