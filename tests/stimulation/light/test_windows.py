"""Windows: from when to when, in every unit."""

import itertools

import pytest
from axonlight.errors import InputError
from axonlight.stimulation import Clock
from axonlight.stimulation.light import LightState, Window


def opened(window, clocks):
    state = LightState()
    return [int(window.intensity(clock, state)) for clock in clocks]


def losses(*values):
    return [Clock(step=step, loss=loss) for step, loss in enumerate(values)]


@pytest.mark.parametrize(
    ("unit", "clocks"),
    [
        ("steps", [Clock(step=now) for now in (0, 2, 3, 4, 5, 6)]),
        ("epochs", [Clock(step=100 * now, epoch=now) for now in (0, 2, 3, 4, 5, 6)]),
        ("samples", [Clock(samples=now) for now in (0, 2, 3, 4, 5, 6)]),
        ("tokens", [Clock(tokens=now) for now in (0, 2, 3, 4, 5, 6)]),
    ],
)
def test_counted_windows_hold_their_start_and_not_their_stop(unit, clocks):
    assert opened(Window(3, 5, unit), clocks) == [0, 0, 1, 1, 0, 0]
    assert opened(Window(None, 5, unit), clocks) == [1, 1, 1, 1, 0, 0]
    assert opened(Window(3, None, unit), clocks) == [0, 0, 1, 1, 1, 1]
    assert opened(Window(unit=unit), clocks) == [1] * 6


def test_samples_open_at_the_first_batch_that_reaches_them():
    clocks = [Clock(step=step, samples=32 * step) for step in range(6)]
    assert opened(Window(50, 130, "samples"), clocks) == [0, 0, 1, 1, 1, 0]


def test_a_phase_of_the_loss_opens_once_and_closes_once():
    values = [None, 2.0, 0.9, 1.5, 0.8, 0.4, 0.9, 2.0, 0.9]
    assert opened(Window(1.0, 0.5, "loss"), losses(*values)) == [0, 0, 1, 1, 1, 0, 0, 0, 0]
    assert opened(Window(None, 0.5, "loss"), losses(*values)) == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert opened(Window(1.0, None, "loss"), losses(*values)) == [0, 0, 1, 1, 1, 1, 1, 1, 1]


def test_patience_counts_losses_in_a_row():
    values = [0.9, 1.1, 0.9, 0.9, 0.9, 0.4, 0.6, 0.4, 0.4, 0.6, 0.9]
    assert opened(Window(1.0, 0.5, "loss", patience=2), losses(*values)) == [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0]


def test_a_loss_that_falls_through_at_once_opens_nothing():
    assert opened(Window(1.0, 0.5, "loss"), losses(2.0, 0.1, 0.8, 0.8)) == [0, 0, 0, 0]


def test_batches_of_one_update_and_other_phases_are_looked_at_once():
    window, state = Window(1.0, 0.5, "loss", patience=2), LightState()
    assert not window.intensity(Clock(step=3, loss=0.9), state)
    # the second of two accumulated batches, and validation between two updates, count for nothing
    assert not window.intensity(Clock(step=3, loss=0.9), state)
    before = state.to_dict()
    assert not window.intensity(Clock(step=4, loss=0.9, phase="validate"), state)
    assert state.to_dict() == before
    assert window.intensity(Clock(step=4, loss=0.9), state)
    assert window.intensity(Clock(step=5, loss=0.1, phase="test"), state)


def test_a_loss_that_is_not_a_number_changes_nothing():
    assert opened(Window(1.0, 0.5, "loss"), losses(float("nan"), 0.9, float("nan"))) == [0, 1, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start": 1000, "stop": 100}, "stop is 100; it must be above start, 1000"),
        ({"start": 5, "stop": 5}, "stop is 5; it must be above start, 5"),
        ({"stop": 0}, "stop is 0; it must be above start, 0"),
        ({"start": 0.5, "stop": 1.0, "unit": "loss"}, "stop must be below start"),
        ({"start": 0.5, "stop": 0.5, "unit": "loss"}, "stop must be below start"),
        ({"start": -1}, "start is -1; it must be a whole number, at least 0"),
        ({"start": 2.5, "unit": "epochs"}, "start is 2.5; it must be a whole number, at least 0"),
        ({"start": float("nan")}, "start is nan; it must be a whole number"),
        ({"start": float("inf"), "unit": "loss"}, "start is inf; it must be a finite number"),
        ({"stop": "1e-4", "unit": "loss"}, r"stop is the text '1e-4'; .*1\.0e-4"),
        ({"start": True}, "start is True; it must be a whole number"),
        ({"unit": "step"}, r"unit is 'step' \(did you mean 'steps'\?\); it must be one of steps, epochs, samples"),
        ({"patience": 3}, "patience is 3 in a window of steps; only unit 'loss' takes one"),
        ({"patience": 0, "unit": "loss"}, "patience is 0; it must be a whole number, at least 1"),
    ],
)
def test_windows_that_never_open_and_wrong_values_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Window(**values)


def test_windows_that_begin_behind_the_end_of_the_run():
    assert Window(10).never_opens({"steps": 10}) == "the window opens at 10 steps, the run has 10"
    assert Window(9).never_opens({"steps": 10}) is None
    assert Window(9, unit="epochs").never_opens({"steps": 5}) is None
    assert Window(9, unit="epochs").never_opens({"steps": 500, "epochs": 9}) is not None
    assert Window(9, unit="loss").never_opens({"steps": 5, "epochs": 1}) is None


def test_overlaps_are_those_of_the_open_steps():
    ends = [None, 1, 2, 3, 4]
    windows = [Window(a, b) for a, b in itertools.product(ends, ends) if a is None or b is None or a < b]
    clocks = [Clock(step=step) for step in range(6)]
    for first, second in itertools.product(windows, windows):
        together = any(a and b for a, b in zip(opened(first, clocks), opened(second, clocks), strict=True))
        assert first.may_overlap(second) == together


def test_phases_of_the_loss_follow_one_another():
    early, late = Window(2.0, 1.0, "loss"), Window(1.0, 0.5, "loss")
    assert not early.may_overlap(late)
    assert not late.may_overlap(early)
    assert early.may_overlap(Window(1.1, 0.5, "loss"))
    # with another patience, the one may open before the other closes
    assert early.may_overlap(Window(1.0, 0.5, "loss", patience=2))
    clocks = losses(3.0, 1.5, 1.2, 0.9, 0.7, 0.4)
    assert [a + b for a, b in zip(opened(early, clocks), opened(late, clocks), strict=True)] == [0, 1, 1, 1, 1, 0]
