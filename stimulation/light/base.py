"""What all parts of light share."""

from dataclasses import dataclass, field
from typing import Any

from ..clock import Clock

__all__ = ["LightState", "Shape"]


@dataclass
class LightState:
    """What light remembers between batches: plain values alone, so that a checkpoint can hold it.

    Args:
        values: By the name of the part that remembers.

    Example:
        >>> state = LightState()
        >>> state.part("trigger")["fired"] = 3
        >>> LightState.from_dict(state.to_dict()).part("trigger")
        {'fired': 3}
    """

    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def part(self, name: str) -> dict[str, Any]:
        """Return what one part remembers, to read and to change."""
        return self.values.setdefault(name, {})

    def to_dict(self) -> dict[str, Any]:
        """Return a copy as plain data."""
        return {name: dict(values) for name, values in self.values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LightState":
        """Return the state that `to_dict` gave."""
        return cls({name: dict(part) for name, part in values.items()})


class Shape:
    """A part of light: multiplies the intensity at the start of every batch.

    Parts without memory are pure functions of the clock.

    Example:
        >>> class OddSteps(Shape):
        ...     def intensity(self, clock, state):
        ...         return float(clock.step % 2)
        >>> [OddSteps().intensity(Clock(step=step), LightState()) for step in range(4)]
        [0.0, 1.0, 0.0, 1.0]
    """

    def intensity(self, clock: Clock, state: LightState) -> float:
        """Return the factor of this batch; called once for every training batch, in order, and on every rank alike."""
        raise NotImplementedError

    def can_open(self) -> str | None:
        """Return why it can never open, or None where it can."""
        return None
