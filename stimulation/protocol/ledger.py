"""When a stimulus shone, kept in a few numbers however many pulses there were."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Ledger", "Train"]


@dataclass
class Train:
    """Equal pulses at equal distances.

    Args:
        start: First step of the first pulse.
        width: Steps that each pulse lasts.
        period: Steps from the start of one pulse to that of the next; 0 for a single pulse.
        times: Number of pulses.

    Example:
        >>> str(Train(100, 3)), str(Train(100, 3, 10, 90)), str(Train(7, 1))
        ('100-102', '100-102 every 10 steps, 90 times', '7')
    """

    start: int
    width: int
    period: int = 0
    times: int = 1

    def __str__(self) -> str:
        first = f"{self.start}-{self.start + self.width - 1}" if self.width > 1 else str(self.start)
        return first if self.times == 1 else f"{first} every {self.period} steps, {self.times:,} times"

    def takes(self, start: int, width: int) -> bool:
        """Add a pulse where it continues the train; tell whether it does."""
        if width != self.width:
            return False
        if self.times == 1:
            self.period = start - self.start
        elif start != self.start + self.period * self.times:
            return False
        self.times += 1
        return True

    def ranges(self) -> Iterator[range]:
        """Yield the steps of every pulse."""
        for pulse in range(self.times):
            start = self.start + self.period * pulse
            yield range(start, start + self.width)


@dataclass
class Ledger:
    """When one stimulus shone in one phase.

    Args:
        trains: Pulses that have ended.
        open: First step of the pulse that has not ended, and the step after its last; None where there is none.
        batches: Batches that were lit.
        exposure: Sum of the intensity over them.
        peak: Highest intensity.

    Example:
        >>> ledger = Ledger()
        >>> for step in (3, 4, 8, 9, 13, 14):
        ...     ledger.note(step, 0.5)
        >>> ledger.pulses, ledger.exposure, [str(train) for train in ledger.all_trains()]
        (3, 3.0, ['3-4 every 5 steps, 3 times'])
    """

    trains: list[Train] = field(default_factory=list)
    open: tuple[int, int] | None = None
    batches: int = 0
    exposure: float = 0.0
    peak: float = 0.0

    def note(self, step: int, intensity: float, width: int = 1) -> None:
        """Note a lit batch of some steps; they come in order, those of accumulated gradients more than once."""
        self.batches += 1
        self.exposure += intensity
        self.peak = max(self.peak, intensity)
        if self.open is None or step > self.open[1]:
            self.trains = self.all_trains()
            self.open = (step, step + width)
        else:
            self.open = (self.open[0], max(self.open[1], step + width))

    def all_trains(self) -> list[Train]:
        """Return the pulses so far, with the one that has not ended."""
        if self.open is None:
            return self.trains
        start, stop = self.open
        last = Train(**vars(self.trains[-1])) if self.trains else None
        if last is not None and last.takes(start, stop - start):
            return [*self.trains[:-1], last]
        return [*self.trains, Train(start, stop - start)]

    @property
    def pulses(self) -> int:
        """Number of pulses so far."""
        return sum(train.times for train in self.trains) + (self.open is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        trains = [[train.start, train.width, train.period, train.times] for train in self.trains]
        return {
            "trains": trains,
            "open": list(self.open) if self.open else None,
            "batches": self.batches,
            "exposure": self.exposure,
            "peak": self.peak,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Ledger":
        """Return the ledger that `to_dict` gave."""
        trains = [Train(*train) for train in values["trains"]]
        given_open = tuple(values["open"]) if values["open"] else None
        return cls(trains, given_open, values["batches"], values["exposure"], values["peak"])
