"""Light: all its parts together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ..clock import Clock, TimeUnit
from .assignment import assign_samples
from .base import LightState, Shape
from .checks import check_count, check_number, plain
from .closed_loop import PI, Trigger
from .pulse import COUNTED, Pulse, Waveform
from .ramp import Ramp, Sine
from .sensor import sensor_of
from .window import Window

__all__ = ["Light"]

# How many steps of a window are tried in search of one with light.
_TRIED = 100_000


@dataclass(frozen=True)
class _Opening:
    """The moment from which waveforms count: exactly known in one unit, remembered in the others."""

    name: str
    unit: TimeUnit | None
    moment: float


@dataclass(frozen=True)
class Light(Shape):
    """When light shines and how strongly: the product of its parts at the start of every batch.

    Windows say when it may shine. A closed loop works within them. Pulses, ramps and sines count their time from the
    opening of the window, or from the moment a trigger lets light in.

    Args:
        window: A window, or several that follow one another; none: always open.
        pulse: Pulse train.
        ramp: Ramp.
        sine: Sine.
        strength: Factor on all of it; 1 is full light, 0 the dose of a control.
        probability: Share of the samples that get light, drawn for every sample anew; None: all of them.
        closed_loop: Trigger or controller.
        until: Step from which on it is dark, whatever the windows say: the release.

    Raises:
        InputError: If no light would ever shine, windows overlap one another, or a value is not allowed.

    Example:
        >>> light, state = Light(Window(10, 20), Pulse(period=5, width=2), strength=0.5), LightState()
        >>> [light.intensity(Clock(step=step), state) for step in (9, 10, 11, 12, 15, 20)]
        [0.0, 0.5, 0.5, 0.0, 0.5, 0.0]
    """

    window: Window | tuple[Window, ...] = ()
    pulse: Pulse | None = None
    ramp: Ramp | None = None
    sine: Sine | None = None
    strength: float = 1.0
    probability: float | None = None
    closed_loop: Trigger | PI | None = None
    until: int | None = None

    def __post_init__(self) -> None:
        given = (self.window,) if isinstance(self.window, Window) else tuple(self.window)
        object.__setattr__(self, "window", given)
        check_number("strength", self.strength, at_least=0)
        if self.probability is not None:
            check_number("probability", self.probability, above=0, at_most=1)
        if self.until is not None:
            check_count("until", self.until, at_least=1)
        for other, window in combinations(given, 2):
            if window.may_overlap(other):
                raise InputError(f"window holds {other} and {window}; windows of one light must not overlap")
        reason = self.can_open()
        if reason:
            raise InputError(reason)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """Its windows, cut at the release; one that is always open where it has none."""
        given: tuple[Window, ...] = self.window or (Window(),)  # type: ignore[assignment]
        if self.until is None:
            return given
        return tuple(_cut(window, self.until) for window in given if _first_step(window) < self.until)

    @cached_property
    def waveforms(self) -> tuple[Waveform, ...]:
        """Its pulses, ramp and sine, as far as there are any."""
        return tuple(wave for wave in (self.pulse, self.ramp, self.sine) if wave is not None)

    def intensity(self, clock: Clock, state: LightState) -> float:
        """Return the light of this batch, 0 where it is dark.

        Called at the start of every training batch, in order and on every rank alike. Outside training the state is
        read but never changed.
        """
        opening = self._opening(clock, state)
        if opening is None:
            return 0.0
        level = float(self.strength)
        if isinstance(self.closed_loop, PI):
            level *= self.closed_loop.intensity(clock, state)
        for wave in self.waveforms:
            level *= wave.at(_elapsed(opening, wave.unit, clock, state))
        return level

    def assignment(
        self, seed: int, first_row: int, rows: int, rank: int = 0, world_size: int = 1, device: Any = None
    ) -> Tensor | None:
        """Return which samples of a batch get light, (rows,) of 0 and 1; None where all do. See `assign_samples`."""
        if self.probability is None:
            return None
        return assign_samples(self.probability, seed, first_row, rows, rank, world_size).to(
            device or torch.device("cpu")
        )

    def needs(self) -> frozenset[str]:
        """Return what it looks at beside steps, epochs and samples.

        "loss"; "tokens"; "metrics", with "metric:NAME" beside it; "statistic:SITE:mean" (or "std", "rate"); "samples"
        where every sample is lit or dark for itself.
        """
        units = {window.unit for window in self.windows} | {wave.unit for wave in self.waveforms}
        found: set[str] = units & {"loss", "tokens"}
        if self.closed_loop is not None:
            sensor = sensor_of(self.closed_loop.sensor)
            found.add(sensor.text)
            found |= {"metrics"} if sensor.metric else set()
        if self.probability is not None:
            found.add("samples")
        return frozenset(found)

    def can_open(self) -> str | None:
        """Return why no light can ever shine, or None where it can."""
        if not self.windows:
            return f"until is {self.until}; it must lie behind the opening of a window, or light never shines"
        if not any(self._shines_within(window) for window in self.windows):
            return f"{' with '.join(map(repr, self.waveforms))} leaves every step of the window dark"
        return None

    def never_opens(self, totals: Mapping[TimeUnit, float]) -> str | None:
        """Return why no light shines within a run of a known length, or None where it may.

        Args:
            totals: Length of the run in the units in which it is known: ``{"steps": 1000, "epochs": 10}``.

        Example:
            >>> Light(Window(20, 30, "epochs")).never_opens({"steps": 1000, "epochs": 10})
            'the window opens at 20 epochs, the run has 10'
        """
        reasons = [window.never_opens(totals) for window in self.windows]
        if all(reasons):
            return reasons[0]
        total = totals.get("steps")
        if total is None or any(self._shines_within(window, total) for window in self.windows):
            return None
        return f"{' with '.join(map(repr, self.waveforms))} leaves every step of the run dark, which has {total:g}"

    def may_overlap(self, other: "Light") -> bool:
        """Return False where the two never shine at once, True where they may.

        Only windows are compared: pulses, ramps and closed loops count as light all the time.
        """
        return any(mine.may_overlap(theirs) for mine in self.windows for theirs in other.windows)

    def to_dict(self) -> dict[str, Any]:
        """Return its values as plain data, without those that are defaults; equal light gives equal data."""
        values = plain(self)
        if "window" in values:
            listed = [window.to_dict() for window in values["window"]]
            values["window"] = listed[0] if len(listed) == 1 else listed
        parts = (Waveform, Trigger, PI)
        return {key: part.to_dict() if isinstance(part, parts) else part for key, part in values.items()}

    def _opening(self, clock: Clock, state: LightState) -> _Opening | None:
        """Return the moment from which waveforms count, or None while it is dark."""
        if self.until is not None and clock.step >= self.until:
            return None
        # every window watches the loss, also while another one is open
        opened = [
            (place, window)
            for place, window in enumerate(self.windows)
            if window.is_open(clock, state.part(f"window_{place}") if window.unit == "loss" else {})
        ]
        if not opened:
            return None
        place, window = opened[0]
        if isinstance(self.closed_loop, Trigger):
            if not self.closed_loop.intensity(clock, state):
                return None
            count, step = self.closed_loop.onset(state)
            return _Opening(f"trigger {count}", "steps", step)
        if window.unit == "loss":
            return _Opening(f"window {place}", None, 0)
        return _Opening(f"window {place}", window.unit, window.start or 0)

    def _shines_within(self, window: Window, total: float = math.inf) -> bool:
        """Return whether any step of a window, in a run of so many steps, has light; True where only a run can tell."""
        if any(wave.unit != "steps" for wave in self.waveforms):
            return True
        lengths = [total - _first_step(window), _TRIED]
        if window.unit == "steps" and window.stop is not None:
            lengths.append(window.stop - _first_step(window))
        if isinstance(self.closed_loop, Trigger) and self.closed_loop.hold is not None:
            lengths.append(self.closed_loop.hold)
        return any(all(wave.at(step) > 0 for wave in self.waveforms) for step in range(math.ceil(min(lengths))))


def _first_step(window: Window) -> float:
    """Return the step before which a window cannot open."""
    return (window.start or 0) if window.unit == "steps" else 0


def _cut(window: Window, until: int) -> Window:
    if window.unit != "steps":
        return window
    return replace(window, stop=until if window.stop is None else min(window.stop, until))


def _elapsed(opening: _Opening, unit: TimeUnit, clock: Clock, state: LightState) -> float:
    """Return the time since an opening; in units in which it is not known, since the first batch after it."""
    now = clock.now(unit) or 0
    if unit == opening.unit:
        return now - opening.moment
    memory = state.part("onset")
    if memory.get("of") != opening.name:
        if clock.phase != "train":
            return 0.0
        memory.update({"of": opening.name, **{name: clock.now(name) for name in COUNTED}})
    return now - memory[unit]
