"""Kaplan-Meier and log-rank against lifelines, scikit-survival and closed forms, heavily tied."""

import math

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.metrics import kaplan_meier, log_rank_test, risk_groups
from axonlight.metrics.survival.kaplan_meier import censoring_curve
from scipy import stats


def patients(seed, number=150, levels=12):
    generator = np.random.default_rng(seed)
    return generator.integers(1, levels + 1, number).astype(float), generator.random(number) < 0.5


@pytest.mark.parametrize("levels", [2, 12, 10**6])
def test_kaplan_meier_equals_lifelines(levels):
    lifelines = pytest.importorskip("lifelines")
    time, event = patients(0, levels=levels)
    fitted = lifelines.KaplanMeierFitter(alpha=0.1).fit(time, event)
    curve = kaplan_meier(torch.tensor(time), torch.tensor(event), confidence=0.9)
    bounds = fitted.confidence_interval_survival_function_.loc[curve.time.numpy()].to_numpy()
    table = fitted.event_table.loc[curve.time.numpy()]
    np.testing.assert_allclose(curve.survival, fitted.predict(curve.time.numpy()), atol=1e-12)
    known = ~np.isnan(curve.low.numpy())
    assert known.sum() >= 1
    np.testing.assert_allclose(curve.low[known], bounds[known, 0], atol=1e-10)
    np.testing.assert_allclose(curve.high[known], bounds[known, 1], atol=1e-10)
    assert curve.at_risk.tolist() == table["at_risk"].tolist()
    assert curve.events.tolist() == table["observed"].tolist()
    assert curve.censored.tolist() == table["censored"].tolist()


@pytest.mark.parametrize("levels", [2, 12, 10**6])
def test_curves_equal_scikit_survival(levels):
    oracle = pytest.importorskip("sksurv.nonparametric")
    for seed in range(5):
        time, event = patients(seed, levels=levels)
        target = torch.stack([torch.tensor(time), torch.tensor(event).double()], dim=1)
        _, expected = oracle.kaplan_meier_estimator(event, time)
        np.testing.assert_allclose(kaplan_meier(target[:, 0], target[:, 1]).survival, expected, atol=1e-12)
        _, expected = oracle.kaplan_meier_estimator(event, time, reverse=True)
        np.testing.assert_allclose(censoring_curve(target).survival, expected, atol=1e-12)


def test_without_censoring_it_is_the_empirical_share():
    time = torch.tensor([3.0, 1.0, 2.0, 2.0])
    curve = kaplan_meier(time, torch.ones(4))
    assert curve.survival.tolist() == pytest.approx([0.75, 0.25, 0.0])
    assert curve.standard_error[0] == pytest.approx(math.sqrt(0.75 * 0.25 / 4))
    assert torch.isnan(curve.standard_error[2])
    assert torch.isnan(curve.low[2])
    assert curve.median == 2.0


def test_steps_are_read_at_any_time():
    curve = kaplan_meier(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1, 0, 0]))
    assert curve.at([0.0, 1.0, 1.5, 3.0]).tolist() == pytest.approx([1.0, 2 / 3, 2 / 3, 2 / 3])
    assert torch.isnan(curve.at([3.1]))
    assert curve.median == math.inf
    assert kaplan_meier(torch.tensor([1.0]), torch.tensor([1])).at([5.0]).tolist() == [0.0]
    assert torch.isnan(kaplan_meier(torch.zeros(0), torch.zeros(0)).at([1.0])).all()
    assert curve.low[0] < 2 / 3 < curve.high[0]


def test_certain_survival_has_no_width():
    curve = kaplan_meier(torch.tensor([1.0, 2.0]), torch.tensor([0, 0]))
    assert curve.survival.tolist() == curve.low.tolist() == curve.high.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_log_rank_equals_lifelines_and_scikit_survival(groups):
    lifelines = pytest.importorskip("lifelines.statistics")
    sksurv = pytest.importorskip("sksurv.compare")
    from sksurv.util import Surv

    for seed in range(4):
        time, event = patients(seed, levels=8)
        group = np.random.default_rng(seed + 50).integers(0, groups, len(time))
        found = log_rank_test(torch.tensor(time), torch.tensor(event), torch.tensor(group))
        other = lifelines.multivariate_logrank_test(time, group, event)
        statistic, p_value = sksurv.compare_survival(Surv.from_arrays(event, time), group)
        assert found.degrees_of_freedom == groups - 1
        assert float(found.statistic) == pytest.approx(statistic, rel=1e-9)
        assert float(found.statistic) == pytest.approx(other.test_statistic, rel=1e-9)
        assert float(found.p_value) == pytest.approx(p_value, rel=1e-9)
        assert float(found.observed.sum()) == pytest.approx(float(found.expected.sum()))


def test_log_rank_by_hand():
    # at 1: 1 of 2 and 2; at 2: 1 of 1 and 2; at 3 nobody of group 0 is left
    found = log_rank_test(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(4), torch.tensor([0, 0, 1, 1]))
    expected = 2 / 4 + 1 / 3
    variance = 0.5 * 0.5 + (1 / 3) * (2 / 3)
    assert float(found.expected[0]) == pytest.approx(expected)
    assert float(found.statistic) == pytest.approx((2 - expected) ** 2 / variance)
    assert float(found.p_value) == pytest.approx(stats.chi2.sf((2 - expected) ** 2 / variance, 1))


@pytest.mark.parametrize(
    ("time", "event", "group"),
    [
        ([1.0, 2.0], [1, 1], [0, 0]),  # one group
        ([1.0, 2.0], [0, 0], [0, 1]),  # no event
        ([], [], []),
        ([1.0, 5.0, 6.0], [0, 1, 1], [0, 1, 1]),  # group 0 is gone before the first event
        ([2.0, 2.0], [1, 1], [0, 1]),  # everybody has the event at once
    ],
)
def test_log_rank_without_a_comparison_is_nan(time, event, group):
    found = log_rank_test(torch.tensor(time), torch.tensor(event), torch.tensor(group))
    assert torch.isnan(found.statistic)
    assert torch.isnan(found.p_value)


def test_a_group_never_at_risk_at_an_event_is_not_counted():
    time, event, group = torch.tensor([1.0, 3.0, 4.0, 5.0, 6.0]), torch.tensor([0, 1, 1, 1, 1]), [9, 0, 1, 0, 1]
    with_it = log_rank_test(time, event, torch.tensor(group))
    without = log_rank_test(time[1:], event[1:], torch.tensor(group[1:]))
    assert with_it.degrees_of_freedom == 1
    assert float(with_it.p_value) == pytest.approx(float(without.p_value))


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_confidence_is_a_share(confidence):
    with pytest.raises(InputError, match=f"confidence is {confidence}; it must be between 0 and 1"):
        kaplan_meier(torch.ones(2), torch.ones(2), confidence)


def test_risk_groups_are_cut_by_training_risks_alone():
    generator = torch.Generator().manual_seed(0)
    training, risk = torch.randn(101, generator=generator), torch.randn(40, generator=generator)
    time, event = torch.rand(40, generator=generator), torch.ones(40)
    groups = risk_groups(risk, time, event, training)
    assert list(groups) == ["low risk", "high risk"]
    assert groups["high risk"][0].tolist() == time[risk > training.median()].tolist()
    # the other risks could be anything on their side of the cut
    moved = risk_groups(torch.where(risk > training.median(), 99.0, risk), time, event, training)
    assert moved["high risk"][0].tolist() == groups["high risk"][0].tolist()
    assert sum(len(part) for part, _ in risk_groups(risk, time, event, training, number=5).values()) == 40
    assert list(risk_groups(risk + 50, time, event, training, number=3)) == ["high risk"]


def test_risk_groups_need_training_risks():
    with pytest.raises(InputError, match="training_risk is empty"):
        risk_groups(torch.ones(2), torch.ones(2), torch.ones(2), torch.zeros(0))
    with pytest.raises(InputError, match="number is 1"):
        risk_groups(torch.ones(2), torch.ones(2), torch.ones(2), torch.ones(2), number=1)
