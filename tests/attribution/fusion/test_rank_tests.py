"""Rank tests: equal to scipy fold by fold; uniform under the null; controls tell a finding from an architecture."""

import numpy as np
import pytest
from axonlight.attribution.fusion import (
    against_controls,
    groups_by_outcome,
    groups_by_risk,
    permuted_outcomes,
    stratified_rank_test,
)
from axonlight.errors import InputError
from scipy.stats import combine_pvalues, mannwhitneyu, rankdata


@pytest.mark.parametrize("decimals", [8, 1], ids=["without ties", "with ties"])
def test_z_equals_scipy_fold_by_fold_and_stouffer(decimals):
    generator = np.random.default_rng(0)
    values = generator.random((70, 9)).round(decimals)
    high = generator.random(70) < 0.4
    fold = np.repeat([0, 1, 2], [30, 25, 15])
    found = stratified_rank_test(values, high, fold, within=True)
    ranked = rankdata(values, axis=1)
    for entity in range(9):
        z, effects, weights = [], [], []
        for part in range(3):
            rows = fold == part
            first, second = ranked[rows & high, entity], ranked[rows & ~high, entity]
            test = mannwhitneyu(first, second, method="asymptotic", use_continuity=False)
            effect = 2 * test.statistic / (len(first) * len(second)) - 1
            weights.append(np.sqrt(rows.sum()))
            effects.append(effect)
            one_sided = mannwhitneyu(
                first, second, method="asymptotic", use_continuity=False, alternative="greater"
            ).pvalue
            z.append(one_sided)
        combined = combine_pvalues(z, method="stouffer", weights=weights)
        assert found.z[entity] == pytest.approx(combined.statistic, abs=1e-8)
        assert found.effect[entity] == pytest.approx(np.average(effects, weights=weights), abs=1e-10)
    assert found.folds == 3


def test_permutations_of_a_small_case_equal_the_full_enumeration():
    from itertools import combinations

    generator = np.random.default_rng(1)
    values = generator.random((8, 3))
    high = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    found = stratified_rank_test(values, high, within=False, permutations=4000, seed=3)
    drawn = []
    for chosen in combinations(range(8), 3):
        labels = np.isin(np.arange(8), chosen)
        drawn.append(np.abs(stratified_rank_test(values, labels, within=False).z))
    drawn = np.array(drawn)
    own = (drawn >= np.abs(found.z) - 1e-9).mean(axis=0)
    family = (drawn.max(axis=1, keepdims=True) >= np.abs(found.z) - 1e-9).mean(axis=0)
    np.testing.assert_allclose(found.p_permutation, own, atol=0.035)
    np.testing.assert_allclose(found.p_family, family, atol=0.035)


def test_p_values_hold_their_level_where_there_is_nothing():
    rejected, families = [], []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        values = generator.random((40, 12)) + generator.random((40, 1))  # entities go together
        high = generator.permutation(np.arange(40) % 2)
        found = stratified_rank_test(values, high, np.arange(40) // 20, within=False, permutations=99, seed=seed)
        rejected.append((found.p_permutation <= 0.05).mean())
        families.append((found.p_family <= 0.05).any())
    assert 0.01 < np.mean(rejected) < 0.1
    assert np.mean(families) < 0.15


def test_a_planted_difference_is_found_in_spite_of_scales_of_folds():
    generator = np.random.default_rng(0)
    fold, high = np.repeat([0, 1], 30), np.arange(60) % 2
    values = generator.random((60, 30))
    values[:, 7] += 0.6 * high
    values *= np.where(fold == 0, 1.0, 1000.0)[:, None]  # gates of another network
    table = stratified_rank_test(values, high, fold, [f"S{place}" for place in range(30)], permutations=999).table()
    assert table["name"][0] == "S7"
    assert table.loc[0, ["q_value", "q_permutation", "p_family"]].max() < 0.05
    assert table["effect"][0] > 0.5


def test_patients_and_folds_that_say_nothing_are_left_out():
    generator = np.random.default_rng(0)
    values = generator.random((30, 4))
    values[5] = np.nan
    high = (np.arange(30) % 2).astype(float)
    high[5] = np.nan
    fold = np.repeat([0, 1], [20, 10])
    high[20:] = 1.0  # one group alone
    kept = np.r_[0:5, 6:20]
    found, alone = stratified_rank_test(values, high, fold), stratified_rank_test(values[kept], high[kept])
    np.testing.assert_array_equal(found.z, alone.z)
    assert found.folds == 1


def test_what_is_equal_everywhere_has_no_z():
    values = np.random.default_rng(0).random((20, 3))
    values[:, 1] = 0.5
    found = stratified_rank_test(values, np.arange(20) % 2, within=False, permutations=19)
    assert np.isnan([found.z[1], found.p_value[1], found.p_permutation[1], found.p_family[1], found.q_value[1]]).all()
    assert not np.isnan(found.z[[0, 2]]).any()


def test_refusals():
    values = np.ones((4, 2))
    with pytest.raises(InputError, match="no fold has patients of both groups"):
        stratified_rank_test(values, np.ones(4))
    with pytest.raises(InputError, match="other values than 1, 0"):
        stratified_rank_test(values, np.arange(4))
    with pytest.raises(InputError, match="missing for 1 patients"):
        stratified_rank_test(np.array([[np.nan, 1.0], [1.0, 1.0]]), [0, 1])
    with pytest.raises(InputError, match="1 names for 2 entities"):
        stratified_rank_test(values, [0, 1, 0, 1], names=["a"])
    with pytest.raises(InputError, match="nobody had the event"):
        groups_by_outcome(np.array([[1.0, 0.0]]))
    with pytest.raises(InputError, match="and a control"):
        against_controls(["a"], [1.0], [])


def test_groups_are_formed_within_folds():
    risk = np.array([1.0, 2.0, 3.0, 100.0, 200.0, 300.0])
    found = groups_by_risk(risk, np.repeat([0, 1], 3))
    np.testing.assert_array_equal(found, [0, np.nan, 1, 0, np.nan, 1])
    outcome = groups_by_outcome(np.array([[2.0, 1], [4.0, 1], [6.0, 1], [3.0, 0], [5.0, 0]]))
    np.testing.assert_array_equal(outcome, [1, 1, 0, np.nan, 0])


def test_controls_tell_a_finding_from_what_the_architecture_always_finds():
    generator = np.random.default_rng(0)
    always = np.array([6.0, 0.0, 0.0, 0.0])  # what every network of this kind prefers
    controls = [always + generator.normal(size=4) for _ in range(39)]
    learned = always + np.array([0.0, 9.0, 0.0, 0.0])
    found = against_controls(list("abcd"), learned, controls)
    assert found.p_value[1] == pytest.approx(1 / 40)
    assert found.p_family[1] < 0.1
    assert found.p_value[0] > 0.2
    assert found.table()["name"][0] == "b"
    holes = against_controls(["a", "b"], [np.nan, 1.0], [[np.nan, 0.5]])
    assert np.isnan(holes.p_value[0])


def test_permuted_outcomes_keep_times_with_their_events_within_strata():
    target = np.stack([np.arange(20.0), np.arange(20) % 2], axis=1)
    strata = np.repeat([0, 1], 10)
    found = permuted_outcomes(target, seed=0, strata=strata)
    assert not np.array_equal(found, target)
    for part in (0, 1):
        rows = strata == part
        np.testing.assert_array_equal(found[rows][np.argsort(found[rows, 0])], target[rows])
    np.testing.assert_array_equal(found, permuted_outcomes(target, seed=0, strata=strata))
