"""Pulses, ramps and sines against what their words say."""

import math
from fractions import Fraction

import numpy as np
import pytest
from axonlight.errors import InputError
from axonlight.stimulation import Clock
from axonlight.stimulation.light import LightState, Pulse, Ramp, Sine
from hypothesis import given
from hypothesis import strategies as st


def lit_steps(pulse, steps):
    return [step for step in range(steps) if pulse.at(step)]


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 15),
    st.none() | st.integers(1, 4),
    st.none() | st.integers(1, 20),
)
def test_trains_are_the_pulses_written_out(period, width, delay, count, rest):
    width = min(width, period)
    rest = rest if count else None
    begins = []
    train = delay
    while train < 200:
        begins += [train + period * place for place in range(count or 200)]
        train = train + (count or 200) * period + rest if rest else 200
    expected = {begin + place for begin in begins for place in range(width)}
    pulse = Pulse(period, width, delay=delay, count=count, rest=rest)
    assert lit_steps(pulse, 200) == sorted(step for step in expected if step < 200)


def test_a_frequency_that_no_float_holds_does_not_drift():
    pulse = Pulse(period=1 / 0.3, width=1)
    far = 9_999_900
    # pulses begin at 10/3, 20/3, ...: each lights the one step that is not before it and less than 1 behind it
    begins = [Fraction(10, 3) * place for place in range(2_999_970, 3_000_000)]
    assert begins[0] == far
    assert [step for step in range(far, far + 100) if pulse.at(step)] == [math.ceil(begin) for begin in begins]


def test_a_duty_cycle_of_one_is_always_on():
    assert lit_steps(Pulse(period=5, width=5), 20) == list(range(20))


def test_pulses_in_samples_and_tokens_go_by_their_own_clock():
    state = LightState()
    by_samples = Pulse(period=64, width=32, unit="samples")
    assert [by_samples.intensity(Clock(samples=32 * step), state) for step in range(4)] == [1, 0, 1, 0]
    assert [Pulse(2, 1, "epochs").intensity(Clock(step=9, epoch=epoch), state) for epoch in range(4)] == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"period": 10, "width": 0}, "width is 0; it must be a finite number, above 0"),
        ({"period": 10, "width": 11}, "width is 11; it must be at most period, 10"),
        ({"period": 0.5, "width": 0.1}, "period is 0.5; it must be a finite number, at least 1"),
        ({"period": 10, "width": float("nan")}, "width is nan"),
        ({"period": 10, "width": 1, "delay": -1}, "delay is -1"),
        ({"period": 10, "width": 1, "count": 0}, "count is 0; it must be a whole number, at least 1"),
        ({"period": 10, "width": 1, "rest": 5}, "rest is 5 without count"),
        ({"period": 10, "width": 1, "count": 2, "rest": 0}, "rest is 0; it must be a finite number, above 0"),
        ({"period": 10, "width": 1, "unit": "loss"}, "unit is 'loss'.*must be one of steps, epochs, samples, tokens"),
    ],
)
def test_wrong_pulses_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Pulse(**values)


@pytest.mark.parametrize(
    ("shape", "way"),
    [
        ("linear", lambda t: np.minimum(t, 1)),
        ("cosine", lambda t: np.where(t < 1, np.sin(np.pi * t / 2) ** 2, 1)),
        ("triangle", lambda t: np.where(t < 1, np.minimum(2 * t, 2 - 2 * t), 0)),
        ("gaussian", lambda t: np.where(t < 1, np.exp(-(((t - 0.5) / (1 / 6)) ** 2) / 2), 0)),
    ],
)
@pytest.mark.parametrize(("begin", "end"), [(0.0, 1.0), (1.0, 0.0), (0.2, 0.7)])
def test_ramps_follow_their_formula(shape, way, begin, end):
    steps = np.arange(0, 31)
    expected = begin + (end - begin) * way(steps / 20)
    ramp = Ramp(20, shape, begin, end)
    np.testing.assert_allclose([ramp.at(step) for step in steps], expected, rtol=0, atol=1e-12)


def test_ramps_end_exactly_where_they_should():
    assert Ramp(7).at(7) == 1.0
    assert Ramp(7, "cosine", begin=1, end=0).at(7) == 0.0
    assert Ramp(7, "gaussian", begin=0.0, end=0.5).at(3.5) == 0.5


def test_sines_swing_between_low_and_high():
    steps = np.arange(0, 50)
    sine = Sine(period=12, low=0.2, high=0.8, phase=0.25)
    expected = 0.5 - 0.3 * np.cos(2 * np.pi * (steps / 12 + 0.25))
    np.testing.assert_allclose([sine.at(step) for step in steps], expected, rtol=0, atol=1e-12)
    assert Sine(10).at(0) == 0.0
    assert Sine(10).at(10**9 + 5) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (Ramp, {"duration": 0}, "duration is 0; it must be a finite number, above 0"),
        (Ramp, {"duration": 5, "begin": 0, "end": 0}, "begin and end are both 0"),
        (Ramp, {"duration": 5, "end": -1}, "end is -1"),
        (Ramp, {"duration": 5, "shape": "gausian"}, r"shape is 'gausian' \(did you mean 'gaussian'\?\)"),
        (Sine, {"period": 1}, "period is 1; it must be a finite number, at least 2"),
        (Sine, {"period": 4, "low": 1.0}, "high is 1.0; it must be a finite number, above 1"),
        (Sine, {"period": 4, "phase": float("inf")}, "phase is inf"),
    ],
)
def test_wrong_ramps_and_sines_are_refused(part, values, message):
    with pytest.raises(InputError, match=message):
        part(**values)
