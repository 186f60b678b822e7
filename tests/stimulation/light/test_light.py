"""Light as a whole: its parts together, from plain data and back, and what is refused."""

import json
import math
import pickle

import pytest
import yaml
from axonlight.errors import InputError
from axonlight.stimulation import Clock
from axonlight.stimulation.light import (
    PI,
    Light,
    LightState,
    Pulse,
    Ramp,
    Sine,
    Trigger,
    Window,
    build_light,
    light_schedule,
)


def test_parts_multiply_and_count_from_the_opening():
    light = build_light(
        {"window": [10, 30], "pulse": {"period": 4, "width": 2}, "ramp": {"duration": 10}, "strength": 0.5}
    )
    expected = [
        0.5 * min((step - 10) / 10, 1) * ((step - 10) % 4 < 2) if 10 <= step < 30 else 0.0 for step in range(40)
    ]
    assert light_schedule(light, 40) == pytest.approx(expected, abs=1e-15)


def test_every_window_begins_a_train_of_its_own():
    light = build_light({"window": [[3, 8], [11, 14]], "pulse": {"period": 4, "width": 1}})
    assert [step for step, level in enumerate(light_schedule(light, 20)) if level] == [3, 7, 11]


def test_pulses_in_steps_within_a_window_of_epochs():
    light = build_light({"window": {"start": 1, "unit": "epochs"}, "pulse": {"period": 5, "width": 1}})
    levels = light_schedule(light, 20, steps_per_epoch=7)
    assert [step for step, level in enumerate(levels) if level] == [7, 12, 17]


def test_pulses_within_a_phase_of_the_loss():
    light = build_light({"window": {"start": 0.5, "unit": "loss"}, "pulse": {"period": 3, "width": 1}})
    state = LightState()
    losses = [1.0, 0.6, 0.4, 0.9, 0.3, 0.3, 0.3, 0.3]
    levels = [light.intensity(Clock(step=step, loss=loss), state) for step, loss in enumerate(losses)]
    assert levels == [0, 0, 1, 0, 0, 1, 0, 0]


def test_one_shot_is_one_step():
    light = build_light({"once": 7})
    assert [step for step, level in enumerate(light_schedule(light, 20)) if level] == [7]
    assert light == build_light({"window": [7, 8]})


def test_release_darkens_any_window():
    light = build_light({"window": {"start": 0, "stop": 5, "unit": "epochs"}, "until": 9})
    assert sum(light_schedule(light, 20, steps_per_epoch=3)) == 9
    assert not build_light({"until": 9}).may_overlap(build_light({"window": [9, None]}))
    assert build_light({"until": 10}).may_overlap(build_light({"window": [9, None]}))


def test_overlaps_go_by_windows():
    first, second = build_light({"window": [[0, 5], [20, 25]]}), build_light({"window": [5, 20]})
    assert not first.may_overlap(second)
    assert first.may_overlap(build_light({"window": [24, 30]}))
    assert first.may_overlap(Light())


FORMS = """
- {}
- {window: [100, 1000]}
- {window: [100, null], strength: 0.5}
- {window: [[0, 100], [200, 300]]}
- {window: {start: 0.7, stop: 0.3, unit: loss, patience: 5}}
- {window: {start: 2, stop: 4, unit: epochs}, pulse: {frequency: 0.3, duty_cycle: 0.3, delay: 2}}
- {pulse: {period: 10, width: 3, count: 5, rest: 50, unit: samples}, until: 400}
- {ramp: {duration: 50, shape: cosine, begin: 1, end: 0}, probability: 0.5}
- {sine: {period: 20, low: 0.2, phase: 0.5}}
- {closed_loop: {kind: trigger, sensor: "metric:val/loss", below: 0.4, hold: null, latency: 2, max_count: 3}}
- {closed_loop: {kind: pi, sensor: "statistic:hidden_0.post:rate", setpoint: 0.1, kp: 0.5, ki: 0.01, every: 5}}
"""


@pytest.mark.parametrize("plain", yaml.safe_load(FORMS))
def test_plain_data_survive_the_way_there_and_back(plain):
    light = build_light(plain)
    written = json.loads(json.dumps(light.to_dict()))
    assert build_light(written) == light
    assert build_light(written).to_dict() == light.to_dict()
    assert pickle.loads(pickle.dumps(light)) == light
    assert hash(light) == hash(build_light(plain))


def test_equal_light_reads_the_same_however_it_was_written():
    forms = [
        {"window": [100, 1000], "pulse": {"period": 10, "width": 3}, "strength": 1},
        {"window": {"start": 100.0, "stop": 1000}, "pulse": {"period": 10, "duty_cycle": 0.3}},
        {"window": [{"start": 100, "stop": 1000, "unit": "steps"}], "pulse": {"frequency": 0.1, "width": 3.0}},
        Light(Window(100, 1000), Pulse(10, 3)),
    ]
    assert len({json.dumps(build_light(form).to_dict()) for form in forms}) == 1
    assert build_light(None) == Light() == build_light({})


def test_needs_name_what_the_clock_must_hold():
    assert build_light({"window": [1, 2], "pulse": {"period": 3, "width": 1, "unit": "samples"}}).needs() == set()
    assert build_light({"window": {"start": 0.5, "unit": "loss"}}).needs() == {"loss"}
    assert build_light({"ramp": {"duration": 5, "unit": "tokens"}, "probability": 0.5}).needs() == {"tokens", "samples"}
    assert Light(closed_loop=Trigger("metric:a/b", above=1)).needs() == {"metrics", "metric:a/b"}
    assert Light(closed_loop=PI("statistic:s:std", 1, kp=1)).needs() == {"statistic:s:std"}


def test_light_that_no_step_of_the_run_sees():
    assert (
        build_light({"window": [50, 60]}).never_opens({"steps": 50}) == "the window opens at 50 steps, the run has 50"
    )
    assert build_light({"window": [[50, 60], [3, 4]]}).never_opens({"steps": 50}) is None
    late = build_light({"pulse": {"period": 10, "width": 1, "delay": 100}})
    assert "leaves every step of the run dark, which has 100" in late.never_opens({"steps": 100})
    assert late.never_opens({"steps": 101}) is None
    assert late.never_opens({"epochs": 3}) is None


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ("on", "light is 'on'; it must be a mapping with keys window, once"),
        ({"windw": [1, 2]}, r"light has no key 'windw' \(did you mean 'window'\?\); its keys are window, once"),
        ({"window": [1000, 100]}, "light.window: stop is 100; it must be above start, 1000"),
        ({"window": [1, 2, 3]}, r"light.window\[0\] is 1; it must be \[start, stop\] in steps"),
        ({"window": []}, r"light.window is \[\]"),
        ({"window": [[0, 10], [5, 20]]}, "windows of one light must not overlap"),
        ({"window": {"begin": 3}}, "light.window has no key 'begin'; its keys are start, stop, unit, patience"),
        ({"once": 5, "window": [1, 2]}, "light has both once .5. and window"),
        ({"once": -1}, "light.once is -1; it must be the number of a step, at least 0"),
        ({"pulse": {"period": 10}}, "light.pulse has neither of width and duty_cycle; it needs exactly one"),
        ({"pulse": {"period": 10, "frequency": 1, "width": 1}}, "light.pulse has both of period and frequency"),
        ({"pulse": {"frequency": 0, "width": 1}}, "light.pulse.frequency is 0; it must be a finite number, above 0"),
        ({"pulse": {"period": 5, "duty_cycle": 0}}, "light.pulse.duty_cycle is 0; .*above 0, at most 1"),
        ({"pulse": {"period": 5, "duty_cycle": math.nan}}, "light.pulse.duty_cycle is nan"),
        (
            {"pulse": {"period": "5", "duty_cycle": 0.5}},
            "light.pulse.period is the text '5'; it must be a finite number",
        ),
        ({"pulse": {"period": 5, "width": 0}}, "light.pulse: width is 0"),
        ({"pulse": 5}, "light.pulse is 5; it must be a mapping with keys period, width, frequency"),
        ({"ramp": {"shape": "linear"}}, "light.ramp has no 'duration'; it needs duration"),
        ({"probability": 0}, "light: probability is 0; it must be a finite number, above 0, at most 1"),
        ({"probability": 1.5}, "probability is 1.5"),
        ({"probability": math.nan}, "probability is nan"),
        ({"strength": -1}, "light: strength is -1; it must be a finite number, at least 0"),
        ({"strength": math.inf}, "strength is inf"),
        ({"until": 0}, "until is 0; it must be a whole number, at least 1"),
        ({"until": 10, "window": [10, 20]}, "until is 10; it must lie behind the opening of a window"),
        ({"window": [5, 15], "pulse": {"period": 20, "width": 2, "delay": 10}}, "leaves every step of the window dark"),
        ({"once": 5, "ramp": {"duration": 10}}, "Ramp.*leaves every step of the window dark"),
        ({"closed_loop": {"sensor": "loss"}}, "light.closed_loop is .* it must be a mapping with kind trigger or pi"),
        ({"closed_loop": {"kind": "PI"}}, "light.closed_loop.kind is 'PI'.* it must be one of trigger, pi"),
        ({"closed_loop": {"kind": "pi", "sensor": "loss"}}, "light.closed_loop has no 'setpoint'"),
    ],
)
def test_bad_light_is_refused_in_one_sentence(plain, message):
    with pytest.raises(InputError, match=message) as caught:
        build_light(plain)
    assert "\n" not in str(caught.value)


def test_zero_strength_is_a_dose_and_not_a_mistake():
    light = build_light({"strength": 0, "sine": {"period": 5}})
    assert light_schedule(light, 10) == [0.0] * 10
    assert light.can_open() is None


def test_schedules_of_closed_loops_are_refused():
    with pytest.raises(InputError, match="light goes by loss; its schedule is known to the run alone"):
        light_schedule(Light(Window(0.5, unit="loss")), 5)
    tokens = Light(Window(10, unit="tokens"))
    with pytest.raises(InputError, match="light goes by tokens"):
        light_schedule(tokens, 5)
    assert light_schedule(tokens, 5, batch_size=2, tokens_per_sample=3) == [0, 0, 1, 1, 1]


def test_wrong_parts_in_python_are_refused_as_in_yaml():
    assert Light(sine=Sine(4), ramp=Ramp(4)).waveforms == (Ramp(4), Sine(4))
    with pytest.raises(InputError, match="strength is 'full'"):
        Light(strength="full")
