"""Light ahead of time gives what the light gives, in whatever order it is asked."""

import pytest
from axonlight.stimulation import Clock
from axonlight.stimulation.light import LightState, build_light
from axonlight.stimulation.light.ahead import LightAhead

OPEN_LOOP = {
    "always": None,
    "windows": {"window": [[10, 20], [90, 100]], "strength": 0.5},
    "pulses": {"pulse": {"period": 7, "width": 3, "delay": 2}, "until": 150},
    "all": {
        "window": [5, None],
        "pulse": {"frequency": 0.3, "duty_cycle": 0.5},
        "ramp": {"duration": 30},
        "sine": {"period": 9},
    },
}
CLOSED = {
    "trigger": {"closed_loop": {"kind": "trigger", "sensor": "loss", "below": 0.6, "hold": 3, "refractory": 2}},
    "epochs": {"window": {"start": 2, "stop": 5, "unit": "epochs"}, "ramp": {"duration": 7}},
    "loss": {"window": {"start": 0.8, "stop": 0.3, "unit": "loss"}, "pulse": {"period": 2, "width": 1}},
}


def intensities(light, steps):
    state = LightState()
    clocks = (Clock(step=step, epoch=step // 10, samples=8 * step, loss=1 - step / 200) for step in steps)
    return [light.intensity(clock, state) for clock in clocks]


@pytest.mark.parametrize(
    "steps", [range(200), range(70, 130), [3, 150, 4, 64, 63, 65, 15, 0]], ids=["all", "resumed", "wild"]
)
@pytest.mark.parametrize("name", OPEN_LOOP)
def test_open_loop(name, steps):
    light = build_light(OPEN_LOOP[name])
    ahead = LightAhead(light)
    assert ahead.is_open_loop
    found = intensities(ahead, steps)
    assert found == intensities(light, steps)
    assert any(found)


@pytest.mark.parametrize("name", CLOSED)
def test_what_only_the_run_can_tell_is_asked_every_time(name):
    light = build_light(CLOSED[name])
    ahead = LightAhead(light)
    assert not ahead.is_open_loop
    found = intensities(ahead, range(200))
    assert found == intensities(light, range(200))
    assert {0.0} < set(found)
