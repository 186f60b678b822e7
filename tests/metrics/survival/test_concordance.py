"""Harrell's C against a loop over all pairs, scikit-survival and lifelines, with ties of every kind."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.errors import InputError
from axonlight.metrics import ConcordanceIndex, concordance_index
from axonlight.metrics.survival.dominance import counts_below
from hypothesis import given, settings
from hypothesis import strategies as st


def cohort(seed, patients, levels):
    """Risk, time and event with at most `levels` different risks and times."""
    generator = np.random.default_rng(seed)
    risk = generator.integers(0, levels, patients) / 8 - 1
    time = generator.integers(1, levels + 1, patients) / 4
    return risk, time, generator.random(patients) < 0.5


def concordance_loop(risk, time, event):
    credit = pairs = 0.0
    for i in np.flatnonzero(event):
        for j in range(len(risk)):
            if time[i] < time[j] or (time[i] == time[j] and not event[j]):
                pairs += 1
                credit += 1.0 * (risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j])
    return credit / pairs if pairs else math.nan


def tensors(*arrays):
    return tuple(torch.as_tensor(array) for array in arrays)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 25))
def test_equals_the_loop_over_pairs(seed, patients, levels):
    risk, time, event = cohort(seed, patients, levels)
    found = concordance_index(*tensors(risk, time, event))
    assert found.dtype == torch.float64
    assert found.shape == ()
    assert float(found) == pytest.approx(concordance_loop(risk, time, event), abs=1e-15, nan_ok=True)


@pytest.mark.parametrize("levels", [2, 5, 30, 10**6])
def test_equals_scikit_survival(levels):
    oracle = pytest.importorskip("sksurv.metrics")
    for seed in range(10):
        risk, time, event = cohort(seed, 300, levels)
        expected = oracle.concordance_index_censored(event, time, risk)[0]
        assert float(concordance_index(*tensors(risk, time, event))) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("levels", [2, 5, 30, 10**6])
def test_equals_lifelines(levels):
    oracle = pytest.importorskip("lifelines.utils")
    for seed in range(10):
        risk, time, event = cohort(seed, 200, levels)
        expected = oracle.concordance_index(time, -risk, event)
        assert float(concordance_index(*tensors(risk, time, event))) == pytest.approx(expected, abs=1e-14)


def test_ties_are_exact_however_close():
    # scikit-survival takes risks within 1e-8 for equal
    risk = torch.tensor([1.0, 1.0 - 1e-12, 1.0 - 2e-12], dtype=torch.float64)
    assert concordance_index(risk, torch.tensor([1.0, 2.0, 3.0]), torch.ones(3)) == 1.0
    assert concordance_index(torch.tensor([0.0, -0.0]), torch.tensor([1.0, 2.0]), torch.ones(2)) == 0.5


def test_infinite_risks_are_ranked():
    risk = torch.tensor([math.inf, 0.0, -math.inf, -math.inf])
    time, event = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(4)
    assert float(concordance_index(risk, time, event)) == pytest.approx(5.5 / 6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
def test_any_type_of_risk(dtype):
    risk, time, event = cohort(3, 100, 9)
    expected = concordance_loop(risk * 8, time, event)
    found = concordance_index(torch.as_tensor(risk * 8).to(dtype), torch.as_tensor(time), torch.as_tensor(event))
    assert float(found) == pytest.approx(expected, abs=1e-15)


def test_columns_of_tables_and_views_are_taken():
    risk, time, event = cohort(4, 50, 9)
    expected = concordance_loop(risk, time, event)
    table = pd.DataFrame({"risk": risk, "time": time, "event": event})
    found = concordance_index(table["risk"], table["time"].to_numpy(), list(event))
    assert float(found) == pytest.approx(expected, abs=1e-15)
    assert concordance_index(risk[::-1], time[::-1], event[::-1]) == found


def test_order_of_rows_and_monotone_maps_change_nothing():
    risk, time, event = tensors(*cohort(5, 200, 12))
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    first = concordance_index(risk, time, event)
    assert concordance_index(risk[order], time[order], event[order]) == first
    assert concordance_index(risk.exp() * 1e6, time**3, event) == first
    assert float(concordance_index(-risk, time, event)) == pytest.approx(1 - float(first), abs=1e-15)


@pytest.mark.parametrize(
    ("time", "event"),
    [([], []), ([3.0], [1]), ([1.0, 2.0, 3.0], [0, 0, 0]), ([1.0, 2.0, 3.0], [0, 0, 1]), ([2.0, 2.0, 2.0], [1, 1, 1])],
)
def test_without_a_comparable_pair_it_is_nan_with_counts(time, event, caplog):
    risk = torch.arange(float(len(time)))
    assert torch.isnan(concordance_index(risk, torch.tensor(time), torch.tensor(event)))
    metric = ConcordanceIndex()
    target = torch.stack([torch.tensor(time), torch.tensor(event).float()], dim=1)
    metric.update(risk, target)
    assert torch.isnan(metric.compute())
    assert metric.counts == {"patients": len(time), "events": sum(event), "comparable_pairs": 0}
    assert f"ConcordanceIndex is undefined (NaN): {len(time)} patients" in caplog.text


@pytest.mark.parametrize(
    ("risk", "time", "event", "message"),
    [
        ([0.0, math.nan, math.nan], [1.0, 2.0, 3.0], [1, 1, 0], r"risk is NaN in rows 1, 2 \(counted from 0\)"),
        ([0.0, 1.0, 2.0], [1.0, -2.0, 3.0], [1, 1, 0], "time is negative or not finite in row 1 "),
        ([0.0, 1.0, 2.0], [1.0, 2.0, math.nan], [1, 1, 0], "time is negative or not finite in row 2 "),
        ([0.0, 1.0, 2.0], [1.0, math.inf, 3.0], [1, 1, 0], "time is negative or not finite in row 1 "),
        ([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [1, 2, 0], "event is neither 0 nor 1 in row 1 "),
        ([0.0, 1.0], [1.0, 2.0, 3.0], [1, 1, 0], r"shape \(3,\); it must be \(2,\)"),
        ([[0.0, 1.0]], [1.0, 2.0], [1, 1], r"risk has the shape \(1, 2\)"),
    ],
)
def test_bad_rows_are_refused_by_position(risk, time, event, message):
    with pytest.raises(InputError, match=message):
        concordance_index(torch.tensor(risk), torch.tensor(time), torch.tensor(event))


def test_many_bad_rows_are_counted():
    with pytest.raises(InputError, match="rows 0, 1, 2, 3, 4 and 35 more"):
        concordance_index(torch.full((40,), math.nan), torch.ones(40), torch.ones(40))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 70))
def test_counts_below_equal_the_definition(seed, size):
    generator = torch.Generator().manual_seed(seed)
    ranks = torch.randperm(size, generator=generator)
    prefixes, bounds = (torch.randint(0, size + 1, (50,), generator=generator) for _ in range(2))
    expected = [int((ranks[:prefix] < bound).sum()) for prefix, bound in zip(prefixes, bounds, strict=True)]
    assert counts_below(ranks, prefixes, bounds).tolist() == expected
