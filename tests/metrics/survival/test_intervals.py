"""Intervals of concordance: the jackknife against leaving patients out, coverage by simulation."""

import math

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.metrics import concordance_difference, concordance_index, concordance_interval


def cohort(seed, patients, levels=None, noise=1.0):
    """Two risks, the second a noisy copy of the first, and times that follow the first; 35 % censored."""
    generator = np.random.default_rng(seed)
    risk = generator.normal(size=patients)
    other = risk + noise * generator.normal(size=patients)
    time = np.exp(-risk) * generator.exponential(size=patients)
    end = 2.5 * generator.exponential(size=patients)
    time, event = np.minimum(time, end), time <= end
    if levels:
        time, risk, other = (np.round(values * levels) / levels for values in (time, risk, other))
    return tuple(torch.tensor(values) for values in (risk, other, time, event))


def leave_one_out(function, *columns):
    rows = torch.arange(len(columns[0]))
    values = np.array([float(function(*(column[rows != row] for column in columns))) for row in rows])
    return math.sqrt((len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum())


@pytest.mark.parametrize("levels", [None, 3])
def test_standard_errors_are_those_of_leaving_each_patient_out(levels):
    risk, other, time, event = cohort(0, 70, levels)
    answer = concordance_interval(risk, time, event)
    assert answer.value == float(concordance_index(risk, time, event))
    assert answer.standard_error == pytest.approx(leave_one_out(concordance_index, risk, time, event), rel=1e-10)
    paired = concordance_difference(risk, other, time, event)

    def difference(a, b, *target):
        return concordance_index(a, *target) - concordance_index(b, *target)

    assert paired.difference == pytest.approx(float(difference(risk, other, time, event)), abs=1e-14)
    assert paired.standard_error == pytest.approx(leave_one_out(difference, risk, other, time, event), rel=1e-10)
    assert paired.comparable_pairs == answer.comparable_pairs


def test_pairs_between_strata_do_not_count():
    risk, other, time, event = cohort(1, 90)
    fold = torch.arange(90) % 3
    shifted = risk + 100.0 * fold
    answer = concordance_interval(shifted, time, event, strata=fold)
    parts = [concordance_interval(risk[fold == k], time[fold == k], event[fold == k]) for k in range(3)]
    pairs = sum(part.comparable_pairs for part in parts)
    assert answer.comparable_pairs == pairs
    assert answer.value == pytest.approx(sum(part.value * part.comparable_pairs for part in parts) / pairs)
    assert answer.value != pytest.approx(concordance_interval(shifted, time, event).value, abs=0.01)
    paired = concordance_difference(shifted, other - 7.0 * fold, time, event, strata=fold)
    second = concordance_interval(other, time, event, strata=fold)
    assert paired.difference == pytest.approx(answer.value - second.value)


def limits(patients=100_000):
    risk, other, time, event = cohort(10**6, patients)
    return float(concordance_index(risk, time, event)), float(concordance_index(other, time, event))


@pytest.mark.parametrize("patients", [40, 120])
def test_intervals_hold_the_truth_as_often_as_they_say(patients):
    value, second = limits()
    runs = 250
    held = held_paired = 0
    for seed in range(runs):
        risk, other, time, event = cohort(seed, patients)
        low, high = concordance_interval(risk, time, event).interval
        held += low <= value <= high
        low, high = concordance_difference(risk, other, time, event).interval
        held_paired += low <= value - second <= high
    # 95 % less three standard errors of a share of 250, up to all but a few
    assert 0.91 <= held / runs <= 0.99
    assert 0.91 <= held_paired / runs <= 0.99


def test_no_difference_is_called_one_as_rarely_as_it_says():
    found = []
    for seed in range(250):
        risk, other, time, event = cohort(seed, 80)
        generator = torch.Generator().manual_seed(seed)
        # both equally noisy
        equal = risk + torch.randn(80, generator=generator, dtype=torch.float64)
        found.append(concordance_difference(other, equal, time, event).p_value)
    assert 0.01 <= float(np.mean(np.array(found) < 0.05)) <= 0.09


def test_equal_risks_differ_by_nothing():
    risk, _, time, event = cohort(2, 50)
    answer = concordance_difference(risk, 3 * risk, time, event)
    assert answer.difference == answer.standard_error == 0
    assert answer.interval == (0, 0)
    assert math.isnan(answer.p_value)


def test_exchanged_risks_change_the_sign():
    risk, other, time, event = cohort(3, 50, levels=2)
    one, two = concordance_difference(risk, other, time, event), concordance_difference(other, risk, time, event)
    assert one.difference == -two.difference
    assert one.interval == (-two.interval[1], -two.interval[0])
    assert one.p_value == two.p_value


@pytest.mark.parametrize("event", [[0, 0, 0], [1, 0, 0]])
def test_without_two_events_there_is_no_interval(event):
    time = torch.tensor([1.0, 2.0, 3.0])
    answer = concordance_interval(torch.tensor([3.0, 1.0, 4.0]), time, torch.tensor(event))
    assert math.isnan(answer.standard_error)
    assert all(math.isnan(end) for end in answer.interval)
    assert answer.comparable_pairs == 2 * event[0]
    paired = concordance_difference(torch.ones(3), torch.tensor([3.0, 1.0, 4.0]), time, torch.tensor(event))
    assert math.isnan(paired.p_value)
    assert all(math.isnan(end) for end in paired.interval)


def test_a_perfect_risk_has_no_interval():
    answer = concordance_interval(-torch.arange(9.0), torch.arange(9.0), torch.ones(9))
    assert answer.value == 1.0
    assert all(math.isnan(end) for end in answer.interval)


def test_bad_rows_are_refused():
    good = torch.ones(3)
    with pytest.raises(InputError, match="risk is NaN in row 2 "):
        concordance_difference(good, torch.tensor([1.0, 2.0, torch.nan]), good, good)
    with pytest.raises(InputError, match=r"strata has the shape \(2,\)"):
        concordance_interval(good, good, good, strata=torch.ones(2))
    with pytest.raises(InputError, match="confidence is 95"):
        concordance_interval(good, good, good, confidence=95)
