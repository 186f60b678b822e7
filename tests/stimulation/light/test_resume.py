"""Stopping at any step, through a checkpoint, gives the light of a run that did not stop."""

import json
import math

from axonlight.stimulation import Clock
from axonlight.stimulation.light import LightState, build_light
from hypothesis import given, settings
from hypothesis import strategies as st

STEPS = 60

counts = st.integers(1, 12)
units = st.sampled_from(["steps", "epochs", "samples", "tokens"])
scales = {"steps": 1, "epochs": 1, "samples": 8, "tokens": 40}


@st.composite
def windows(draw):
    unit = draw(st.sampled_from(["steps", "epochs", "samples", "tokens", "loss"]))
    if unit == "loss":
        start = draw(st.sampled_from([None, 0.8, 0.6]))
        return {
            "start": start,
            "stop": draw(st.sampled_from([None, 0.4])),
            "unit": unit,
            "patience": draw(counts) % 3 + 1,
        }
    start = draw(st.integers(0, 20)) * scales[unit]
    stop = draw(st.none() | st.integers(1, 30).map(lambda length: start + length * scales[unit]))
    return {"start": start, "stop": stop, "unit": unit}


@st.composite
def pulses(draw):
    unit = draw(units)
    period = draw(counts) * scales[unit]
    width = max(1, period * draw(st.integers(1, 4)) // 4)
    count = draw(st.none() | st.integers(1, 3))
    rest = draw(st.none() | counts) if count else None
    return {"period": period, "width": width, "unit": unit, "count": count, "rest": rest}


@st.composite
def ramps(draw):
    unit = draw(units)
    shape = draw(st.sampled_from(["linear", "cosine", "triangle", "gaussian"]))
    return {"duration": draw(counts) * scales[unit], "shape": shape, "begin": 0.1, "unit": unit}


@st.composite
def loops(draw):
    sensor = draw(st.sampled_from(["loss", "metric:m", "statistic:s:rate"]))
    if draw(st.booleans()):
        return {"kind": "pi", "sensor": sensor, "setpoint": 0.5, "kp": 0.7, "ki": 0.2, "every": draw(counts) % 4 + 1}
    hold = draw(st.none() | counts)
    rest = draw(st.integers(0, 8))
    return {"kind": "trigger", "sensor": sensor, "above": 0.5, "hold": hold, "latency": rest % 3, "refractory": rest}


lights = st.fixed_dictionaries(
    {"strength": st.sampled_from([0.5, 1.0])},
    optional={
        "window": windows(),
        "pulse": pulses(),
        "ramp": ramps(),
        "closed_loop": loops(),
        "sine": st.just({"period": 7, "low": 0.1}),
    },
).map(lambda plain: build_light({key: value for key, value in plain.items() if value is not None}))


def clocks(values):
    for step, value in enumerate(values):
        yield Clock(
            step=step,
            epoch=step // 7,
            samples=8 * step,
            tokens=40 * step,
            loss=value,
            metrics={"m": value, "statistic:s:rate": 1 - value},
        )


@settings(deadline=None, max_examples=150)
@given(lights, st.lists(st.floats(0, 1), min_size=STEPS, max_size=STEPS), st.integers(0, STEPS))
def test_stopping_anywhere_changes_nothing(light, values, stop):
    whole = LightState()
    expected = [light.intensity(clock, whole) for clock in clocks(values)]
    assert all(math.isfinite(level) and level >= 0 for level in expected)

    state, found = LightState(), []
    for clock in clocks(values):
        if clock.step == stop:
            # another process: the light from its plain data, the state from the checkpoint
            light = build_light(json.loads(json.dumps(light.to_dict())))
            state = LightState.from_dict(json.loads(json.dumps(state.to_dict())))
        found.append(light.intensity(clock, state))
    assert found == expected
    assert state.to_dict() == whole.to_dict()


@settings(deadline=None, max_examples=60)
@given(lights, st.lists(st.floats(0, 1), min_size=STEPS, max_size=STEPS))
def test_validation_and_accumulated_batches_change_nothing(light, values):
    plain, mixed = LightState(), LightState()
    for clock in clocks(values):
        validation = Clock(**{**vars(clock), "phase": "validate", "loss": 0.9})
        before = json.dumps(mixed.to_dict())
        light.intensity(validation, mixed)
        remembered = {name: part for name, part in mixed.to_dict().items() if part}
        assert remembered == {name: part for name, part in json.loads(before).items() if part}
        level = light.intensity(clock, mixed)
        assert level == light.intensity(clock, plain)
        assert light.intensity(clock, mixed) == level


def test_open_loops_in_the_units_of_their_window_remember_nothing():
    light = build_light({"window": [5, 40], "pulse": {"period": 6, "width": 2}, "ramp": {"duration": 9}})
    state = LightState()
    levels = [light.intensity(clock, state) for clock in clocks([0.5] * STEPS)]
    assert state.to_dict() == {}
    # at any step, in any order, without what came before
    alone = [light.intensity(clock, LightState()) for clock in reversed(list(clocks([0.5] * STEPS)))]
    assert levels == alone[::-1]
    assert sum(level > 0 for level in levels) > 5
