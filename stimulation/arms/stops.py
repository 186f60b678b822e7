"""When training pauses to be looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import InputError

__all__ = ["Stops"]


@dataclass(frozen=True)
class Stops:
    """Numbers of updates after which something is evaluated or measured; the last one always is.

    Args:
        evaluations: Updates between evaluations, by evaluator.
        measurements: Updates between measurements; None: none but at the end.
        end: Updates in all.

    Raises:
        InputError: If a number is not positive.

    Example:
        >>> stops = Stops({"train": 4, "new": 8}, None, end=10)
        >>> [stops.after(update) for update in (0, 4, 8)], stops.due(4), stops.due(10)
        ([4, 8, 10], ['train'], ['train', 'new'])
    """

    evaluations: Mapping[str, int]
    measurements: int | None
    end: int

    def __post_init__(self) -> None:
        given = {**self.evaluations, "measure": self.measurements or 1, "updates": self.end}
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"the number of updates for {name!r} is {value!r}; it must be a positive integer")

    def after(self, update: int) -> int:
        """Return the next pause after an update."""
        steps = [*self.evaluations.values(), *([self.measurements] if self.measurements else [])]
        return min([(update // step + 1) * step for step in steps] + [self.end])

    def due(self, update: int) -> list[str]:
        """Return the evaluators that are due after an update."""
        return [name for name, step in self.evaluations.items() if update % step == 0 or update == self.end]

    def measures(self, update: int) -> bool:
        """Return whether measurements are due after an update."""
        return update == self.end or (self.measurements is not None and update % self.measurements == 0)
