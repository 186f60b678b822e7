"""Pulse trains, and what all waveforms share."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ...errors import InputError
from ..clock import Clock, TimeUnit
from .base import LightState, Shape
from .checks import check_choice, check_count, check_number, plain

__all__ = ["COUNTED", "Pulse", "Waveform"]

# Units in which time can be counted from a moment on; a loss cannot.
COUNTED: tuple[TimeUnit, ...] = ("steps", "epochs", "samples", "tokens")


class Waveform(Shape):
    """A pure function of the time since light was let in.

    Attributes:
        unit: What that time is counted in.

    Example:
        >>> class Fading(Waveform):
        ...     unit = "steps"
        ...     def at(self, elapsed):
        ...         return 0.5**elapsed
        >>> Fading().intensity(Clock(step=3), LightState())
        0.125
    """

    unit: TimeUnit

    def at(self, elapsed: float) -> float:
        """Return the factor at a time since light was let in, in `unit`."""
        raise NotImplementedError

    def intensity(self, clock: Clock, state: LightState) -> float:
        """Return the factor with time counted from the beginning of training."""
        return self.at(clock.now(self.unit) or 0)

    def to_dict(self) -> dict[str, Any]:
        """Return its values as plain data."""
        return plain(self)


@dataclass(frozen=True)
class Pulse(Waveform):
    """A train of square pulses, counted from the opening of the window.

    Args:
        period: From the beginning of one pulse to the beginning of the next.
        width: How long each lasts; at most `period`.
        unit: What all times are counted in.
        delay: Time from the opening to the first pulse.
        count: Number of pulses of a train; None: they go on for ever.
        rest: Inter-train interval, from the end of the last period of a train to the next train (bursts); None: only
            one train. Needs `count`.

    Raises:
        InputError: If a pulse would have no width or not fit into its period, or a value is not allowed.

    Example:
        >>> [int(Pulse(period=4, width=1).at(step)) for step in range(8)]
        [1, 0, 0, 0, 1, 0, 0, 0]
        >>> [int(Pulse(period=2, width=1, count=2, rest=3).at(step)) for step in range(11)]
        [1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0]
    """

    period: float
    width: float
    unit: TimeUnit = "steps"
    delay: float = 0.0
    count: int | None = None
    rest: float | None = None

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, COUNTED)
        # Time goes by whole numbers: pulses closer together than that are not seen apart.
        check_number("period", self.period, at_least=1)
        check_number("width", self.width, above=0)
        if self.width > self.period:
            raise InputError(f"width is {self.width}; it must be at most period, {self.period}")
        check_number("delay", self.delay, at_least=0)
        if self.count is not None:
            check_count("count", self.count, at_least=1)
        if self.rest is not None:
            check_number("rest", self.rest, above=0)
            if self.count is None:
                raise InputError(f"rest is {self.rest} without count; a burst needs the number of its pulses")

    def at(self, elapsed: float) -> float:
        """Return 1 within a pulse and 0 between pulses."""
        time = Fraction(elapsed) - _exact(self.delay)
        if time < 0:
            return 0.0
        period = _exact(self.period)
        if self.count is not None:
            train = self.count * period
            time = time % (train + _exact(self.rest)) if self.rest is not None else time
            if time >= train:
                return 0.0
        return float(time % period < _exact(self.width))


@lru_cache(maxsize=256)
def _exact(value: float) -> Fraction:
    """Return the fraction that is meant: 3.3333333333333335 is 10/3, so that a long train never drifts."""
    return Fraction(value).limit_denominator(1_000_000)
