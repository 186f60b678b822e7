"""Kinetics of opsins: closed forms, the light itself at the defaults, and a checkpoint in the middle of a pulse."""

import json
import math

import numpy as np
import pytest
from axonlight.errors import InputError
from axonlight.stimulation.kinetics import Kinetics
from axonlight.stimulation.light.base import LightState
from scipy.integrate import solve_ivp


def gates(kinetics: Kinetics, light: list[float]) -> np.ndarray:
    state = LightState()
    return np.array([kinetics.gate(value, state) for value in light])


def test_at_the_defaults_the_gate_is_the_light():
    light = [0.0, 1.0, 0.25, 0.0, 2.0, -1.0]
    assert gates(Kinetics(), light).tolist() == light


def test_rise_and_decay_are_exponential():
    steps = np.arange(1, 21)
    course = gates(Kinetics(rise=4.0, decay=7.0), [1.0] * 20 + [0.0] * 20)
    np.testing.assert_allclose(course[:20], 1 - np.exp(-steps / 4), rtol=1e-12)
    np.testing.assert_allclose(course[20:], course[19] * np.exp(-steps / 7), rtol=1e-12)


def test_desensitisation_falls_from_the_peak_to_the_plateau_and_recovers():
    kinetics = Kinetics(desensitisation=5.0, plateau=0.3, recovery=11.0)
    steps = np.arange(60)
    course = gates(kinetics, [1.0] * 60)
    np.testing.assert_allclose(course, 0.3 + 0.7 * np.exp(-steps / 5), rtol=1e-12)
    for dark in (1, 10, 100):
        peak = gates(kinetics, [1.0] * 60 + [0.0] * dark + [1.0])[-1]
        left = 0.3 + 0.7 * np.exp(-60 / 5)
        np.testing.assert_allclose(peak, 1 - (1 - left) * np.exp(-dark / 11), rtol=1e-12)


def test_the_course_is_that_of_the_differential_equations():
    rise, decay, fall, recovery, plateau = 30.0, 50.0, 80.0, 200.0, 0.4
    pulse = [1.0] * 150 + [0.0] * 100 + [1.0] * 100

    def slopes(time, state):
        opened, available = state
        light = pulse[min(int(time), len(pulse) - 1)]
        kept = 1 - (1 - plateau) * light
        return [
            (light - opened) / (rise if light > opened else decay),
            (kept - available) / (fall if kept < available else recovery),
        ]

    times = np.arange(1, len(pulse) + 1)
    solved = solve_ivp(slopes, (0, len(pulse)), [0.0, 1.0], t_eval=times, max_step=0.25, rtol=1e-8, atol=1e-10)
    course = gates(Kinetics(rise, decay, fall, plateau, recovery), pulse)
    # the gate opens on what was available a step ago
    np.testing.assert_allclose(course, solved.y[0] * solved.y[1], atol=0.01)


def test_saturation_compresses_strong_light():
    light = [0.1, 0.5, 1.0, 2.0, 1e6]
    expected = [value * 1.5 / (value + 0.5) for value in light]
    np.testing.assert_allclose(gates(Kinetics(saturation=0.5), light), expected, rtol=1e-12)
    assert expected[2] == 1.0
    assert math.isclose(expected[-1], 1.5, rel_tol=1e-5)


def test_a_closing_gate_closes():
    course = gates(Kinetics(decay=10.0), [1.0] + [0.0] * 200)
    last = int(np.flatnonzero(course)[-1])
    assert course[last] >= 1e-4 > course[last] * math.exp(-0.1)
    assert (course[last + 1 :] == 0).all()


def test_resumed_in_the_middle_of_a_pulse_it_goes_on():
    kinetics = Kinetics(rise=3.0, decay=5.0, desensitisation=4.0, plateau=0.5, recovery=9.0)
    light = [1.0] * 7 + [0.0] * 5 + [1.0] * 6
    state = LightState()
    first = [kinetics.gate(value, state) for value in light[:9]]
    state = LightState.from_dict(json.loads(json.dumps(state.to_dict())))
    assert first + [kinetics.gate(value, state) for value in light[9:]] == gates(kinetics, light).tolist()


def test_plain_data_make_the_same_kinetics():
    kinetics = Kinetics(rise=3, plateau=0.5, saturation=2.0)
    assert kinetics.to_dict() == {"rise": 3, "plateau": 0.5, "saturation": 2}
    assert Kinetics.build(kinetics.to_dict()) == kinetics
    assert Kinetics.build(kinetics) is kinetics


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"rise": -1}, r"rise of kinetics is -1; it must be a finite number, at least 0"),
        ({"decay": float("nan")}, r"decay of kinetics is nan"),
        ({"desensitisation": "slow"}, r"desensitisation of kinetics is 'slow'"),
        ({"plateau": 1.5}, r"plateau of kinetics is 1.5; it must be a finite number, at least 0, at most 1"),
        ({"saturation": 0}, r"saturation of kinetics is 0; it must be a finite number, above 0"),
        ({"ries": 1}, r"kinetics has no key 'ries' \(did you mean 'rise'\?\)"),
        (5, r"kinetics is 5; it must be a mapping of rise, decay, "),
    ],
)
def test_bad_values_are_refused(value, message):
    with pytest.raises(InputError, match=message):
        Kinetics.build(value)
