"""Light ahead of time: the intensities of a block of steps, computed at once."""

from ..clock import Clock
from .base import LightState
from .light import Light

__all__ = ["LightAhead"]

_BLOCK = 64


class LightAhead:
    """Light that is computed for many steps at once, where the step alone decides it.

    One intensity costs little. But between two training steps nothing of it is in the processor's caches any more, and
    it takes ten times as long; the rest of a block costs what it should.

    Args:
        light: The light; where it goes by more than the step, it is asked every time.

    Example:
        >>> from axonlight.stimulation.light import build_light
        >>> light = LightAhead(build_light({"pulse": {"period": 3, "width": 1}}))
        >>> [light.intensity(Clock(step=step), LightState()) for step in range(4)]
        [1.0, 0.0, 0.0, 1.0]
    """

    def __init__(self, light: Light) -> None:
        self.light = light
        units = {window.unit for window in light.windows} | {wave.unit for wave in light.waveforms}
        self.is_open_loop = units <= {"steps"} and light.closed_loop is None
        self._first = 0
        self._block: list[float] = []

    def intensity(self, clock: Clock, state: LightState) -> float:
        """Return what the light gives, see `Light.intensity`."""
        if not self.is_open_loop:
            return self.light.intensity(clock, state)
        place = clock.step - self._first
        if not 0 <= place < len(self._block):
            steps = range(clock.step, clock.step + _BLOCK)
            self._block = [self.light.intensity(Clock(step=step), LightState()) for step in steps]
            self._first, place = clock.step, 0
        return self._block[place]
