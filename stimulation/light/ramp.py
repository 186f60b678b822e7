"""Ramps and sines: light that grows, fades and swings."""

import math
from dataclasses import dataclass
from typing import Literal

from ...errors import InputError
from ..clock import TimeUnit
from .checks import check_choice, check_number
from .pulse import COUNTED, Waveform

__all__ = ["Ramp", "Sine"]

RampShape = Literal["linear", "cosine", "triangle", "gaussian"]
RAMP_SHAPES: tuple[RampShape, ...] = ("linear", "cosine", "triangle", "gaussian")


@dataclass(frozen=True)
class Ramp(Waveform):
    """A single change of the light, counted from the opening of the window.

    "linear" and "cosine" go from `begin` to `end` and stay there: light that grows, or, with ``begin=1, end=0``, a
    clamp that is annealed away. "triangle" and "gaussian" reach `end` at half of the duration and come back to `begin`.

    Args:
        duration: How long it takes.
        shape: Its shape; with t the share of the duration that has passed, the way from `begin` to `end` is t; (1 -
            cos(pi t)) / 2; 1 - abs(2 t - 1); exp(-(t - 1/2)^2 / (2 / 36)), a standard deviation of a sixth.
        begin: Factor at the beginning, 0 or more.
        end: Factor at the end, or at the peak, 0 or more.
        unit: What the duration is counted in.

    Raises:
        InputError: If nothing would ever shine, or a value is not allowed.

    Example:
        >>> [Ramp(4).at(step) for step in range(6)]
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
        >>> [Ramp(4, "triangle").at(step) for step in range(6)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """

    duration: float
    shape: RampShape = "linear"
    begin: float = 0.0
    end: float = 1.0
    unit: TimeUnit = "steps"

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, COUNTED)
        check_choice("shape", self.shape, RAMP_SHAPES)
        check_number("duration", self.duration, above=0)
        check_number("begin", self.begin, at_least=0)
        check_number("end", self.end, at_least=0)
        if self.begin == self.end == 0:
            raise InputError("begin and end are both 0; one of them must be above 0, or the ramp never shines")

    def at(self, elapsed: float) -> float:
        """Return the factor at a time since light was let in."""
        return self.begin + (self.end - self.begin) * self._way(elapsed / self.duration)

    def _way(self, share: float) -> float:
        if share >= 1:
            return 1.0 if self.shape in ("linear", "cosine") else 0.0
        if self.shape == "cosine":
            return (1 - math.cos(math.pi * share)) / 2
        if self.shape == "triangle":
            return 1 - abs(2 * share - 1)
        if self.shape == "gaussian":
            return math.exp(-((share - 0.5) ** 2) / (2 / 36))
        return share


@dataclass(frozen=True)
class Sine(Waveform):
    """Light that swings between two strengths, counted from the opening of the window, where it is lowest.

    Args:
        period: Time from one low to the next; at least 2, since faster swings fall between the steps.
        low: Lowest factor, 0 or more.
        high: Highest factor, above `low`.
        phase: Share of a period by which it is ahead.
        unit: What the period is counted in.

    Raises:
        InputError: If a value is not allowed.

    Example:
        >>> [round(Sine(4).at(step), 3) for step in range(5)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    period: float
    low: float = 0.0
    high: float = 1.0
    phase: float = 0.0
    unit: TimeUnit = "steps"

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, COUNTED)
        check_number("period", self.period, at_least=2)
        check_number("low", self.low, at_least=0)
        check_number("high", self.high, above=self.low)
        check_number("phase", self.phase)

    def at(self, elapsed: float) -> float:
        """Return the factor at a time since light was let in."""
        # reduced to one period first, so that a long run loses no digits
        turn = (elapsed % self.period) / self.period + self.phase
        return self.low + (self.high - self.low) * (1 - math.cos(2 * math.pi * turn)) / 2
