"""Uno's C, time-dependent AUC, Brier and integrated Brier against scikit-survival and loops; D-calibration."""

import math

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.metrics import (
    brier_score,
    d_calibration,
    integrated_brier_score,
    time_dependent_auc,
    uno_concordance,
)
from scipy import stats

TIMES = [2.5, 4.0, 6.0, 8.5]


def cohort(seed, number=200, levels=10):
    """Training and test targets, tied; the longest training time is past every test time."""
    generator = np.random.default_rng(seed)
    time = generator.integers(1, levels + 1, number) * (10 / levels)
    event = generator.random(number) < 0.5
    training_time, training_event = np.append(time[::2], 11.0), np.append(event[::2], False)
    risk = generator.integers(0, 8, number) / 8.0
    return (training_time, training_event), (time[1::2], event[1::2]), risk[1::2], generator


def target_of(time, event):
    return torch.stack([torch.as_tensor(time), torch.as_tensor(event).double()], dim=1)


def structured(time, event):
    return pytest.importorskip("sksurv.util").Surv.from_arrays(event, time)


@pytest.mark.parametrize("levels", [5, 10, 10**6])
@pytest.mark.parametrize("tau", [None, 5.0])
def test_uno_equals_scikit_survival(levels, tau):
    oracle = pytest.importorskip("sksurv.metrics")
    for seed in range(5):
        training, test, risk, _ = cohort(seed, levels=levels)
        expected = oracle.concordance_index_ipcw(structured(*training), structured(*test), risk, tau)[0]
        target = target_of(*test)
        found = uno_concordance(torch.tensor(risk), target[:, 0], target[:, 1], target_of(*training), tau)
        assert float(found) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("levels", [5, 10, 10**6])
def test_time_dependent_auc_equals_scikit_survival(levels):
    oracle = pytest.importorskip("sksurv.metrics")
    for seed in range(5):
        training, test, risk, generator = cohort(seed, levels=levels)
        target = target_of(*test)
        for risks in (risk, generator.integers(0, 6, (len(risk), len(TIMES))) / 4.0):
            per_time, mean = oracle.cumulative_dynamic_auc(structured(*training), structured(*test), risks, TIMES)
            found = time_dependent_auc(torch.tensor(risks), target[:, 0], target[:, 1], TIMES, target_of(*training))
            np.testing.assert_allclose(found.per_time, per_time, atol=1e-12)
            assert float(found.mean) == pytest.approx(mean, abs=1e-12)


@pytest.mark.parametrize("levels", [5, 10, 10**6])
def test_brier_equals_scikit_survival(levels):
    oracle = pytest.importorskip("sksurv.metrics")
    for seed in range(5):
        training, test, _, generator = cohort(seed, levels=levels)
        survival = np.sort(generator.random((len(test[0]), len(TIMES))), axis=1)[:, ::-1].copy()
        arguments = (structured(*training), structured(*test), survival, TIMES)
        target = target_of(*test)
        ours = (torch.tensor(survival), target[:, 0], target[:, 1], TIMES, target_of(*training))
        np.testing.assert_allclose(brier_score(*ours), oracle.brier_score(*arguments)[1], atol=1e-12)
        expected = oracle.integrated_brier_score(*arguments)
        assert float(integrated_brier_score(*ours)) == pytest.approx(expected, abs=1e-12)


def test_without_censoring_weights_are_one():
    generator = torch.Generator().manual_seed(0)
    time, risk = torch.rand(60, generator=generator) * 9, torch.randn(60, generator=generator)
    survival = torch.rand(60, 1, generator=generator)
    event, target = torch.ones(60), torch.stack([time, torch.ones(60)], dim=1)
    sure = (survival[:, 0] - (time > 5).float()).square().mean()
    assert float(brier_score(survival, time, event, 5.0, target)) == pytest.approx(float(sure))
    area = stats.mannwhitneyu(risk[time <= 5], risk[time > 5]).statistic / float((time <= 5).sum() * (time > 5).sum())
    assert float(time_dependent_auc(risk, time, event, 5.0, target).mean) == pytest.approx(area)


def test_times_without_cases_or_controls_are_left_out_of_the_mean():
    target = torch.tensor([[2.0, 1.0], [3.0, 1.0], [4.0, 1.0], [5.0, 0.0]])
    risk = torch.tensor([1.0, 3.0, 2.0, 0.0])
    found = time_dependent_auc(risk, target[:, 0], target[:, 1], [1.0, 3.5, 9.0], target)
    assert torch.isnan(found.per_time).tolist() == [True, False, True]
    assert float(found.mean) == float(found.per_time[1]) == 0.75
    nothing = time_dependent_auc(risk, target[:, 0], torch.zeros(4), [2.0, 3.0], target)
    assert torch.isnan(nothing.per_time).all()
    assert torch.isnan(nothing.mean)


def test_unknown_weights_are_not_guessed():
    # G is not known after 4, the last training time, and is 0 from 3 on where the last one was censored
    open_end = torch.tensor([[1.0, 0.0], [4.0, 1.0]])
    target = torch.tensor([[2.0, 1.0], [6.0, 1.0], [7.0, 0.0]])
    survival = torch.full((3, 2), 0.5)
    scores = brier_score(survival, target[:, 0], target[:, 1], [3.0, 6.5], open_end)
    assert torch.isnan(scores).tolist() == [False, True]
    assert torch.isnan(integrated_brier_score(survival, target[:, 0], target[:, 1], [3.0, 6.5], open_end))
    areas = time_dependent_auc(torch.tensor([3.0, 1.0, 2.0]), target[:, 0], target[:, 1], [3.0, 6.5], open_end)
    assert torch.isnan(areas.per_time).tolist() == [False, True]
    # the event at 6 has no weight: what is left is the first row's
    assert float(uno_concordance([0.5, 0.1, 0.9], target[:, 0], target[:, 1], open_end)) == 0.5
    closed = torch.tensor([[1.0, 1.0], [1.5, 0.0]])
    assert torch.isnan(uno_concordance([0.5, 0.1, 0.9], target[:, 0], target[:, 1], closed))


def test_bad_times_and_probabilities_are_refused():
    target = torch.tensor([[1.0, 1.0], [2.0, 0.0]])
    with pytest.raises(InputError, match="ascending order"):
        brier_score(torch.ones(2, 2), target[:, 0], target[:, 1], [2.0, 1.0], target)
    with pytest.raises(InputError, match="an integral needs two"):
        integrated_brier_score(torch.ones(2), target[:, 0], target[:, 1], 1.0, target)
    with pytest.raises(InputError, match=r"survival is NaN or outside 0 ... 1 in row 1 "):
        brier_score(torch.tensor([0.5, 1.5]), target[:, 0], target[:, 1], 1.0, target)
    with pytest.raises(InputError, match=r"survival has the shape \(2, 3\); it must be \(2, 1\)"):
        brier_score(torch.ones(2, 3), target[:, 0], target[:, 1], 1.0, target)
    with pytest.raises(InputError, match="risk is NaN in row 0 "):
        time_dependent_auc(torch.tensor([math.nan, 1.0]), target[:, 0], target[:, 1], 1.0, target)
    with pytest.raises(InputError, match="risk is NaN in row 0 "):
        uno_concordance(torch.tensor([math.nan, 1.0]), target[:, 0], target[:, 1], target)


def calibration_loop(survival, event, bins):
    patients = np.zeros(bins)
    for probability, happened in zip(survival, event, strict=True):
        own = min(int(probability * bins), bins - 1)
        if happened or probability == 0:
            patients[own] += 1
        else:
            patients[own] += (probability - own / bins) / probability
            patients[:own] += 1 / bins / probability
    return patients


@pytest.mark.parametrize("bins", [2, 4, 16])
def test_calibration_equals_the_loop(bins):
    generator = np.random.default_rng(0)
    survival, event = np.append(generator.random(200), [0.0, 1.0, 0.5, 0.0, 1.0]), generator.random(205) < 0.4
    event[-5:] = [True, True, False, False, False]
    found = d_calibration(torch.tensor(survival), torch.tensor(event), bins)
    expected = calibration_loop(survival, event, bins)
    np.testing.assert_allclose(found.patients, expected, atol=1e-12)
    statistic, p_value = stats.chisquare(expected)
    assert float(found.statistic) == pytest.approx(statistic)
    assert float(found.p_value) == pytest.approx(p_value)


def test_calibration_tells_right_from_wrong_probabilities():
    generator = np.random.default_rng(1)
    time, end = generator.exponential(size=4000), generator.exponential(1.5, size=4000)
    seen, event = np.minimum(time, end), torch.tensor(time <= end)
    assert float(d_calibration(torch.tensor(np.exp(-seen)), event).p_value) > 0.01
    assert float(d_calibration(torch.tensor(np.exp(-1.3 * seen)), event).p_value) < 1e-6


def test_calibration_of_nobody_is_nan():
    found = d_calibration(torch.zeros(0), torch.zeros(0))
    assert torch.isnan(found.statistic)
    assert torch.isnan(found.p_value)
    with pytest.raises(InputError, match="bins is 1"):
        d_calibration(torch.zeros(2), torch.zeros(2), bins=1)
