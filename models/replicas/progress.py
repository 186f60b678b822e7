"""What is known of a replica while it trains, and afterwards.

Legend of shapes: R replicas.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["Progress", "RunningMean"]


@dataclass
class Progress:
    """One replica's curves, scores and end.

    Attributes:
        curves: Values per epoch, by the names that a task logs.
        latest: The last value of each.
        scores: Test metrics, by the names that a task logs.
        epochs: Epochs that it trained.
        stopped: Whether it stopped early.
        best_epoch: Epoch of the best weights, where it may stop early.
        best_state: The best weights.
        error: Why it failed, or None.
    """

    curves: dict[str, list[float]] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    epochs: int = 0
    stopped: bool = False
    best_epoch: int | None = None
    best_state: dict[str, Tensor] | None = None
    error: str | None = None

    def note(self, values: dict[str, float]) -> None:
        """Add one value to each curve."""
        self.latest.update(values)
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)

    def to_dict(self) -> dict[str, Any]:
        """Return what a user reads of it."""
        names = ("curves", "scores", "epochs", "stopped", "best_epoch", "error")
        return {name: getattr(self, name) for name in names}


class RunningMean:
    """Means (R,) of losses over rows, in the order and precision in which one task sums its own.

    Args:
        dtype: Type of the sums.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._clear()

    def add(self, losses: Tensor, rows: int) -> None:
        """Add the mean losses (R,) of a batch."""
        self._sums = self._sums.to(losses.device) + (losses * rows).to(self._dtype)
        self._rows += rows

    def take(self) -> Tensor:
        """Return the means, float32, and begin anew."""
        means = (self._sums / self._rows).float()
        self._clear()
        return means

    def _clear(self) -> None:
        self._sums, self._rows = torch.zeros((), dtype=self._dtype), 0
