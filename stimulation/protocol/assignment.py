"""Which samples a random light chose among: enough to say afterwards who was lit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..light import assign_samples
from .ledger import Ledger

__all__ = ["Assignment"]


@dataclass
class Assignment:
    """The random light of one stimulus in one phase.

    Args:
        probability: Share of samples with light.
        seed: Seed of the draw.
        drawn: Numbers of the samples among which it chose, kept as other ledgers keep steps.

    Example:
        >>> assignment = Assignment(0.5, seed=7)
        >>> for first_row in (0, 32, 320):
        ...     assignment.note(first_row, rows=32)
        >>> lit = assignment.lit_samples()
        >>> [str(train) for train in assignment.drawn.all_trains()], bool((lit < 352).all()), 20 < len(lit) < 76
        (['0-63', '320-351'], True, True)
    """

    probability: float
    seed: int
    drawn: Ledger = field(default_factory=Ledger)

    def note(self, first_row: int, rows: int) -> None:
        """Note a lit batch; the samples of an evaluation come again and stay the same."""
        self.drawn.note(first_row, 1.0, width=rows)

    def lit_samples(self) -> np.ndarray:
        """Return the numbers of the samples that got light, int64 in order."""
        spans = [numbers for train in self.drawn.all_trains() for numbers in train.ranges()]
        lit = [np.flatnonzero(self._draw(numbers).numpy()) + numbers.start for numbers in spans]
        return np.concatenate(lit) if lit else np.empty(0, dtype=np.int64)

    def _draw(self, numbers: range) -> Any:
        return assign_samples(self.probability, self.seed, numbers.start, len(numbers))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"probability": self.probability, "seed": self.seed, "samples": self.drawn.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Assignment":
        """Return the assignment that `to_dict` gave."""
        return cls(values["probability"], values["seed"], Ledger.from_dict(values["samples"]))
