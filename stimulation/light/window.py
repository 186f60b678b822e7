"""Windows: from when to when light may shine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from ..clock import Clock, TimeUnit
from .base import LightState, Shape
from .checks import check_choice, check_count, check_number, plain

__all__ = ["UNITS", "Window"]

UNITS: tuple[TimeUnit, ...] = ("steps", "epochs", "samples", "tokens", "loss")


@dataclass(frozen=True)
class Window(Shape):
    """A stretch of training: open from `start` on, closed again from `stop` on.

    In "steps", "epochs", "samples" and "tokens" it is a pure function of the clock. In "loss" it is a phase of the
    training loss: it opens when the loss falls below `start` and closes for good when it falls below `stop`; each
    happens once, so that the noise of the loss opens and closes nothing again.

    Args:
        start: First moment when it is open; None: from the beginning.
        stop: First moment when it is closed again; None: never.
        unit: What start and stop are counted in, from the beginning of training.
        patience: In "loss": for how many updates in a row the loss must be below the threshold.

    Raises:
        InputError: If it would never open (stop <= start; in "loss" stop >= start), or a value is not allowed.

    Example:
        >>> window = Window(100, 1000)
        >>> [window.intensity(Clock(step=step), LightState()) for step in (99, 100, 999, 1000)]
        [0.0, 1.0, 1.0, 0.0]
        >>> phase, state = Window(0.7, 0.3, "loss"), LightState()
        >>> losses = [0.9, 0.6, 0.8, 0.2, 0.5]
        >>> [phase.intensity(Clock(step=step, loss=loss), state) for step, loss in enumerate(losses)]
        [0.0, 1.0, 1.0, 0.0, 0.0]
    """

    start: float | None = None
    stop: float | None = None
    unit: TimeUnit = "steps"
    patience: int = 1

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, UNITS)
        check_count("patience", self.patience, at_least=1)
        if self.patience != 1 and self.unit != "loss":
            raise InputError(f"patience is {self.patience} in a window of {self.unit}; only unit 'loss' takes one")
        for key in ("start", "stop"):
            if getattr(self, key) is not None:
                counted = self.unit != "loss"
                check_number(key, getattr(self, key), at_least=0 if counted else None, whole=counted)
        reason = self.can_open()
        if reason:
            raise InputError(reason)

    def intensity(self, clock: Clock, state: LightState) -> float:
        """Return 1 while open and 0 while closed."""
        memory = state.part("window") if self.unit == "loss" else {}
        return float(self.is_open(clock, memory))

    def is_open(self, clock: Clock, memory: dict[str, Any]) -> bool:
        """Return whether it is open, and remember in "loss" what has happened."""
        if self.unit == "loss":
            self._watch_loss(clock, memory)
            opened = self.start is None or memory.get("opened", False)
            return opened and not memory.get("closed", False)
        now = clock.now(self.unit) or 0
        return (self.start is None or now >= self.start) and (self.stop is None or now < self.stop)

    def can_open(self) -> str | None:
        """Return why it can never open, or None where it can."""
        if self.unit == "loss":
            if self.start is not None and self.stop is not None and self.stop >= self.start:
                return (
                    f"stop is {self.stop} and start {self.start}; a window of loss opens below start and closes below "
                    "stop, so that stop must be below start"
                )
        elif self.stop is not None and self.stop <= (self.start or 0):
            return f"stop is {self.stop}; it must be above start, {self.start or 0}, or the window never opens"
        return None

    def never_opens(self, totals: Mapping[TimeUnit, float]) -> str | None:
        """Return why it does not open within a run of a known length, or None where it does or nobody knows.

        Args:
            totals: Length of the run in the units in which it is known.

        Example:
            >>> Window(5000).never_opens({"steps": 1000})
            'the window opens at 5000 steps, the run has 1000'
        """
        total = totals.get(self.unit) if self.unit != "loss" else None
        if total is None or self.start is None or self.start < total:
            return None
        return f"the window opens at {self.start:g} {self.unit}, the run has {total:g}"

    def may_overlap(self, other: "Window") -> bool:
        """Return False where the two are never open at once, True where they may be.

        Example:
            >>> Window(0, 100).may_overlap(Window(100, 200)), Window(0, 100).may_overlap(Window(0, 2, "epochs"))
            (False, True)
        """
        if self.unit != other.unit or self.patience != other.patience:
            return True
        return not (_ends_before(self, other) or _ends_before(other, self))

    def to_dict(self) -> dict[str, Any]:
        """Return its values as plain data."""
        return plain(self)

    def _watch_loss(self, clock: Clock, memory: dict[str, Any]) -> None:
        """Look at the loss once for every update; between updates and outside training nothing changes."""
        if clock.phase != "train" or clock.loss is None or memory.get("step") == clock.step:
            return
        memory["step"] = clock.step
        for event, threshold in (("opened", self.start), ("closed", self.stop)):
            if threshold is None or memory.get(event):
                continue
            in_a_row = memory.get(f"below_{event}", 0) + 1 if clock.loss < threshold else 0
            memory[f"below_{event}"] = in_a_row
            memory[event] = in_a_row >= self.patience


def _ends_before(first: Window, second: Window) -> bool:
    if first.stop is None or second.start is None:
        return False
    return first.stop >= second.start if first.unit == "loss" else first.stop <= second.start
