"""Open-loop light ahead of time: what a run would get, step by step, without running it."""

from ...errors import InputError
from ..clock import Clock
from .base import LightState
from .light import Light

__all__ = ["light_schedule"]


def light_schedule(
    light: Light, steps: int, *, batch_size: int = 1, steps_per_epoch: int | None = None, tokens_per_sample: int = 0
) -> list[float]:
    """Return the intensity at each of the first steps of a run.

    Args:
        light: The light.
        steps: Number of steps.
        batch_size: Samples per step, of all ranks together.
        steps_per_epoch: Steps per epoch; None: the run is one epoch.
        tokens_per_sample: Tokens per sample.

    Raises:
        InputError: If the light goes by the loss or is a closed loop, so that only the run itself can tell, or by
            tokens whose number is not given.

    Example:
        >>> from axonlight.stimulation.light import build_light
        >>> light = build_light({"window": {"start": 1, "stop": 2, "unit": "epochs"}, "ramp": {"duration": 2}})
        >>> light_schedule(light, 7, steps_per_epoch=3)
        [0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 0.0]
    """
    needs = light.needs()
    unknown = needs - {"samples"} - ({"tokens"} if tokens_per_sample else set())
    if unknown:
        raise InputError(f"light goes by {', '.join(sorted(unknown))}; its schedule is known to the run alone")
    state = LightState()
    clocks = (
        Clock(
            step=step,
            epoch=step // steps_per_epoch if steps_per_epoch else 0,
            samples=step * batch_size,
            tokens=step * batch_size * tokens_per_sample,
        )
        for step in range(steps)
    )
    return [light.intensity(clock, state) for clock in clocks]
