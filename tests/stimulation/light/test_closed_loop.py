"""Closed loops against plants whose answer is known."""

import math

import pytest
from axonlight.errors import InputError
from axonlight.stimulation import Clock
from axonlight.stimulation.light import PI, Light, LightState, Pulse, Ramp, Sensor, Trigger, Window


def lights_over(part, values, sensor="loss"):
    """Return the light at steps 0, 1, ... whose sensor reads the given values."""
    state = LightState()
    return [part.intensity(clock_of(step, value, sensor), state) for step, value in enumerate(values)]


def clock_of(step, value, sensor="loss"):
    if sensor == "loss":
        return Clock(step=step, loss=value)
    name = sensor.removeprefix("metric:")
    return Clock(step=step, metrics={} if value is None else {name: value})


@pytest.mark.parametrize("sensor", ["loss", "metric:val/loss", "statistic:blocks.0.residual:rate"])
def test_a_trigger_fires_exactly_when_it_should(sensor):
    values = [0, 0, 2, 0, 0, 2, 2, 2, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    trigger = Trigger(sensor, above=1, hold=2, latency=1, refractory=3)
    # armed at 0; fires at 2: light at 3, 4; rests 5, 6, 7; armed at 8; fires at 11: light at 12, 13; rests until 17
    expected = [int(step in (3, 4, 12, 13, 18, 19)) for step in range(20)]
    assert lights_over(trigger, values, sensor) == expected


def test_a_trigger_counts_and_stops_counting():
    trigger = Trigger("loss", below=1.0, max_count=2, refractory=1)
    assert lights_over(trigger, [0.5] * 8) == [1, 0, 1, 0, 0, 0, 0, 0]


def test_a_trigger_without_hold_stays_on():
    assert lights_over(Trigger("loss", below=1.0, hold=None, latency=2), [2, 0, 2, 2, 2, 0]) == [0, 0, 0, 1, 1, 1]


def test_a_threshold_itself_is_not_beyond():
    assert lights_over(Trigger("loss", above=1.0), [1.0, 1.1]) == [0, 1]
    assert lights_over(Trigger("loss", below=1.0), [1.0, 0.9]) == [0, 1]


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_values_that_are_not_there_fire_nothing(nothing):
    assert lights_over(Trigger("metric:m", above=1), [nothing, nothing, 2.0], "metric:m") == [0, 0, 1]


def test_decisions_are_taken_once_for_every_update_and_never_outside_training():
    trigger, state = Trigger("loss", above=1), LightState()
    assert trigger.intensity(Clock(step=4, loss=0.0), state) == 0
    # another batch of the same update must not see another light: its gradients are added to those of the first
    assert trigger.intensity(Clock(step=4, loss=9.0), state) == 0
    assert trigger.intensity(Clock(step=5, loss=9.0, phase="validate"), state) == 0
    assert trigger.intensity(Clock(step=5, loss=9.0), state) == 1
    before = state.to_dict()
    assert trigger.intensity(Clock(step=5, loss=0.0, phase="test"), state) == 1
    assert trigger.intensity(Clock(step=6, loss=9.0, phase="validate"), state) == 0
    assert state.to_dict() == before


def test_the_window_gates_the_trigger_and_pulses_count_from_the_trigger():
    light = Light(Window(3, 12), Pulse(3, 1), closed_loop=Trigger("loss", above=1, hold=5, latency=1))
    # fires at 3, the first step in the window: light from 4 to 8, pulses at 4 and 7; again at 9: light 10, 11, pulse 10
    assert lights_over(light, [2.0] * 15) == [int(step in (4, 7, 10)) for step in range(15)]


def test_waveforms_in_samples_count_from_the_light_of_the_trigger():
    light = Light(ramp=Ramp(64, unit="samples"), closed_loop=Trigger("loss", above=1, hold=4, latency=1))
    state = LightState()
    losses = [0, 2, 0, 0, 0, 0, 0, 2, 0, 0]
    clocks = [Clock(step=step, samples=100 + 32 * step, loss=loss) for step, loss in enumerate(losses)]
    assert [light.intensity(clock, state) for clock in clocks] == [0, 0, 0, 0.5, 1, 1, 0, 0, 0, 0.5]


def plant(controller, steps, gain=1.0, start=0.0, rate=0.1, ceiling=1.0):
    """Run a first-order plant, x += rate * (gain * light - x), and return its values and the light."""
    state, x, values, lights = LightState(), start, [], []
    for step in range(steps):
        light = controller.intensity(Clock(step=step, metrics={"x": x}), state)
        x += rate * (gain * min(light, ceiling) - x)
        values.append(x)
        lights.append(light)
    return values, lights


@pytest.mark.parametrize(("gain", "kp", "ki"), [(1.0, 0.5, 0.05), (1.0, 0.0, 0.02), (-1.0, -0.5, -0.05)])
def test_the_controller_brings_a_plant_to_its_setpoint(gain, kp, ki):
    values, lights = plant(PI("metric:x", setpoint=0.6 * gain, kp=kp, ki=ki), 400, gain)
    assert values[-1] == pytest.approx(0.6 * gain, abs=1e-4)
    assert lights[-1] == pytest.approx(0.6, abs=1e-3)


def test_proportional_control_alone_leaves_the_offset_that_theory_says():
    values, _ = plant(PI("metric:x", setpoint=0.6, kp=2.0), 400)
    assert values[-1] == pytest.approx(2.0 * 0.6 / (1 + 2.0), abs=1e-9)


def test_saturation_does_not_wind_up():
    controller, state = PI("metric:x", setpoint=1.0, kp=0.1, ki=0.1), LightState()
    # the setpoint is out of reach for 1,000 steps ...
    for step in range(1000):
        assert controller.intensity(Clock(step=step, metrics={"x": 0.0}), state) <= 1.0
    assert controller.intensity(Clock(step=1000, metrics={"x": 0.0}), state) == 1.0
    # ... and the light leaves its limit with the first value above it: a plain sum (100 by now) would need 1,000 more
    assert controller.intensity(Clock(step=1001, metrics={"x": 2.0}), state) < 1.0
    for step in range(1002, 1012):
        light = controller.intensity(Clock(step=step, metrics={"x": 2.0}), state)
    assert light == 0.0
    # the same at the lower limit
    for step in range(1012, 2000):
        controller.intensity(Clock(step=step, metrics={"x": 2.0}), state)
    assert controller.intensity(Clock(step=2000, metrics={"x": 0.0}), state) > 0.0


def naive(x, memory):
    """The same controller with a plain sum."""
    memory["sum"] = memory.get("sum", 0.0) + 0.05 * (0.6 - x)
    return min(max(0.5 * (0.6 - x) + memory["sum"], 0.0), 1.0)


@pytest.mark.parametrize("winds_up", [False, True])
def test_a_plant_that_saturated_comes_back_soon(winds_up):
    controller, state, memory, x = PI("metric:x", setpoint=0.6, kp=0.5, ki=0.05), LightState(), {}, 0.0
    far = []
    for step in range(900):
        clock = Clock(step=step, metrics={"x": x})
        light = naive(x, memory) if winds_up else controller.intensity(clock, state)
        # for 500 steps the plant is too weak: full light brings it to 0.5
        x += 0.1 * ((0.5 if step < 500 else 1.0) * light - x)
        if step == 499:
            assert (light, x) == (1.0, pytest.approx(0.5, abs=1e-6))
        if abs(x - 0.6) > 0.02:
            far.append(step)
    settled = far[-1] - 500
    assert settled > 100 if winds_up else settled < 80


def test_decisions_every_few_steps_hold_the_light_between_and_keep_the_time_scale():
    controller, state = PI("metric:x", setpoint=1.0, ki=0.01, every=4), LightState()
    lights = [controller.intensity(Clock(step=step, metrics={"x": 0.0}), state) for step in range(9)]
    assert lights == pytest.approx([0.04] * 4 + [0.08] * 4 + [0.12])


def test_the_controller_waits_for_its_first_value_and_ignores_what_is_none():
    controller = PI("metric:x", setpoint=1.0, kp=0.5, minimum=0.1, every=2)
    assert lights_over(controller, [None, None, 0.0, 0.5, math.nan, 0.5], "metric:x") == [0.1, 0.1, 0.5, 0.5, 0.5, 0.25]


def test_the_controller_works_within_its_window_and_strength():
    light = Light(Window(2, 4), strength=0.5, closed_loop=PI("loss", setpoint=1.0, kp=1.0))
    assert lights_over(light, [0.0, 0.0, 0.5, 0.0, 0.0]) == [0.0, 0.0, 0.25, 0.5, 0.0]


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (Trigger, {"sensor": "loss"}, "above is None and below is None; a trigger needs exactly one of them"),
        (Trigger, {"sensor": "loss", "above": 1, "below": 0}, "above is 1 and below is 0"),
        (Trigger, {"sensor": "loss", "above": math.nan}, "above is nan; it must be a finite number"),
        (Trigger, {"sensor": "loss", "above": 1, "hold": 0}, "hold is 0; it must be a whole number, at least 1"),
        (Trigger, {"sensor": "loss", "above": 1, "refractory": -1}, "refractory is -1"),
        (Trigger, {"sensor": "loss", "above": 1, "latency": 1.5}, "latency is 1.5; it must be a whole number"),
        (Trigger, {"sensor": "loss", "above": 1, "max_count": 0}, "max_count is 0"),
        (Trigger, {"sensor": "metric", "above": 1}, "sensor is 'metric'; it must be 'loss', 'metric:NAME'"),
        (Trigger, {"sensor": "statistic:v:median", "above": 1}, "sensor is 'statistic:v:median'"),
        (Trigger, {"sensor": "statistic:mean", "above": 1}, "sensor is 'statistic:mean'"),
        (Trigger, {"sensor": ["loss"], "above": 1}, r"sensor is \['loss'\]"),
        (PI, {"sensor": "loss", "setpoint": 1}, "kp is 0.0 and ki is 0.0"),
        (PI, {"sensor": "loss", "setpoint": 1, "kp": 1, "ki": -1}, "they must have the same sign"),
        (PI, {"sensor": "loss", "setpoint": math.nan, "kp": 1}, "setpoint is nan"),
        (PI, {"sensor": "loss", "setpoint": 1, "kp": 1, "minimum": 1}, "maximum is 1.0; .*above 1"),
        (PI, {"sensor": "loss", "setpoint": 1, "kp": 1, "minimum": -1}, "minimum is -1"),
        (PI, {"sensor": "loss", "setpoint": 1, "kp": 1, "every": 0}, "every is 0"),
    ],
)
def test_wrong_loops_are_refused(part, values, message):
    with pytest.raises(InputError, match=message):
        part(**values)


def test_sensors_say_what_they_read():
    sensor = Sensor("statistic:layers.0:input:rate")
    assert (sensor.site, sensor.statistic, sensor.metric) == ("layers.0:input", "rate", None)
    assert sensor.read(Clock(metrics={"statistic:layers.0:input:rate": 0.25})) == 0.25
    metric = Sensor("metric:val/loss/train:0")
    assert (metric.site, metric.statistic, metric.metric) == (None, None, "val/loss/train:0")
    assert metric.read(Clock(loss=3.0)) is None
