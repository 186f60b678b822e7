"""Closed loops: sense, decide, stimulate. Decisions are taken once for every update, and remembered."""

from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from ..clock import Clock
from .base import LightState, Shape
from .checks import check_count, check_number, plain
from .sensor import Sensor, sensor_of

__all__ = ["PI", "Trigger"]


@dataclass(frozen=True)
class Trigger(Shape):
    """Light that comes on when a value crosses a threshold.

    An update at which it is armed and the value lies beyond the threshold fires it: after `latency` updates the light
    is on for `hold` updates, then it rests for `refractory` updates before it is armed again. A value that is not
    there yet, or not finite, fires nothing.

    Args:
        sensor: What it reads, see `Sensor`.
        above: Fires when the value is above this; give either this or `below`.
        below: Fires when the value is below this.
        hold: Number of updates with light; None: from then on.
        latency: Number of updates from the decision to the light.
        refractory: Number of updates after the light in which it cannot fire.
        max_count: How often it may fire; None: without limit.

    Raises:
        InputError: If there is not exactly one threshold, or a value is not allowed.

    Example:
        >>> trigger, state = Trigger("loss", above=1.0, hold=2, refractory=1), LightState()
        >>> losses = [0.5, 1.5, 1.5, 1.5, 1.5, 0.5]
        >>> [int(trigger.intensity(Clock(step=step, loss=loss), state)) for step, loss in enumerate(losses)]
        [0, 1, 1, 0, 1, 1]
    """

    sensor: str
    above: float | None = None
    below: float | None = None
    hold: int | None = 1
    latency: int = 0
    refractory: int = 0
    max_count: int | None = None

    def __post_init__(self) -> None:
        Sensor(self.sensor)
        if (self.above is None) == (self.below is None):
            raise InputError(f"above is {self.above} and below is {self.below}; a trigger needs exactly one of them")
        for key in ("above", "below"):
            if getattr(self, key) is not None:
                check_number(key, getattr(self, key))
        for key in ("hold", "max_count"):
            if getattr(self, key) is not None:
                check_count(key, getattr(self, key), at_least=1)
        for key in ("latency", "refractory"):
            check_count(key, getattr(self, key))

    def intensity(self, clock: Clock, state: LightState) -> float:
        """Return 1 while its light is on, else 0."""
        memory = state.part("trigger")
        if clock.phase == "train" and memory.get("step") != clock.step:
            memory["step"] = clock.step
            if self._is_armed(clock, memory) and self._is_beyond(clock):
                memory["fired_at"] = clock.step
                memory["count"] = memory.get("count", 0) + 1
        return float(self._is_lit(clock, memory))

    def onset(self, state: LightState) -> tuple[int, int]:
        """Return how often it fired and the step at which its last light came on; defined while it is lit."""
        memory = state.part("trigger")
        return memory["count"], memory["fired_at"] + self.latency

    def to_dict(self) -> dict[str, Any]:
        """Return its kind and its values as plain data."""
        return {"kind": "trigger", **plain(self)}

    def _is_armed(self, clock: Clock, memory: dict[str, Any]) -> bool:
        if self.max_count is not None and memory.get("count", 0) >= self.max_count:
            return False
        if "fired_at" not in memory:
            return True
        return self.hold is not None and clock.step >= memory["fired_at"] + self.latency + self.hold + self.refractory

    def _is_beyond(self, clock: Clock) -> bool:
        value = sensor_of(self.sensor).read(clock)
        if value is None:
            return False
        return value > self.above if self.above is not None else value < (self.below or 0.0)

    def _is_lit(self, clock: Clock, memory: dict[str, Any]) -> bool:
        if "fired_at" not in memory:
            return False
        since = clock.step - memory["fired_at"] - self.latency
        return since >= 0 and (self.hold is None or since < self.hold)


@dataclass(frozen=True)
class PI(Shape):
    """A controller that holds a value at a setpoint: light = kp * error + ki * (sum of the errors).

    The sum stands still while the light is at its limit and the error would push it further (conditional integration,
    Astrom and Hagglund, Advanced PID Control, 2006, section 3.5): a controller that could not reach its setpoint for
    long leaves the limit at once when it can. Gains are positive where more light raises the value, negative where it
    lowers it. A value that is not there yet, or not finite, changes nothing.

    Args:
        sensor: What it reads, see `Sensor`.
        setpoint: The value to hold.
        kp: Proportional gain: light per unit of error.
        ki: Integral gain: light per unit of error and update.
        minimum: Least light, also before the first value is there.
        maximum: Most light.
        every: Number of updates from one decision to the next.

    Raises:
        InputError: If both gains are 0 or their signs differ, the limits are not in order, or a value is not allowed.

    Example:
        >>> controller, state = PI("loss", setpoint=1.0, kp=0.5, ki=0.25), LightState()
        >>> [controller.intensity(Clock(step=step, loss=loss), state) for step, loss in enumerate([0.0, 0.5, 1.0])]
        [0.75, 0.625, 0.375]
    """

    sensor: str
    setpoint: float
    kp: float = 0.0
    ki: float = 0.0
    minimum: float = 0.0
    maximum: float = 1.0
    every: int = 1

    def __post_init__(self) -> None:
        Sensor(self.sensor)
        for key in ("setpoint", "kp", "ki"):
            check_number(key, getattr(self, key))
        if self.kp * self.ki < 0 or self.kp == self.ki == 0:
            raise InputError(f"kp is {self.kp} and ki is {self.ki}; they must have the same sign and not both be 0")
        check_number("minimum", self.minimum, at_least=0)
        check_number("maximum", self.maximum, above=self.minimum)
        check_count("every", self.every, at_least=1)

    def intensity(self, clock: Clock, state: LightState) -> float:
        """Return the light that it decided on last."""
        memory = state.part("controller")
        last = memory.get("step")
        due = clock.phase == "train" and (last is None or clock.step >= last + self.every)
        value = sensor_of(self.sensor).read(clock) if due else None
        if value is not None:
            self._decide(self.setpoint - value, memory)
            memory["step"] = clock.step
        return memory.get("light", self.minimum)

    def to_dict(self) -> dict[str, Any]:
        """Return its kind and its values as plain data."""
        return {"kind": "pi", **plain(self)}

    def _decide(self, error: float, memory: dict[str, Any]) -> None:
        growth = self.ki * error * self.every
        integral = memory.get("integral", 0.0) + growth
        wanted = self.kp * error + integral
        light = min(max(wanted, self.minimum), self.maximum)
        pushes_further = (wanted > light and growth > 0) or (wanted < light and growth < 0)
        memory["integral"] = integral - growth if pushes_further else integral
        memory["light"] = light
