"""Variance components against hand-made tables, simulation and MixedLM; plans against their own fulfilment."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from axonlight.comparison import (
    compare_scores,
    draws_needed,
    draws_to_decide,
    empirical_p,
    seeds_needed,
    splits_needed,
    variance_components,
)
from axonlight.comparison.statistics.mean_squares import MeanSquare, difference_of, multiple_of
from axonlight.errors import InputError
from scipy import stats


def table_of(cube):
    places = itertools.product(*(range(size) for size in cube.shape))
    return pd.DataFrame([(*place, cube[place]) for place in places], columns=["split", "seed", "draw", "score"])


def simulate(generator, deviations, shape):
    splits, seeds, draws = shape
    split, seed, draw, rest = deviations
    return (
        split * generator.normal(size=(splits, 1, 1))
        + seed * generator.normal(size=(splits, seeds, 1))
        + draw * generator.normal(size=(1, 1, draws))
        + rest * generator.normal(size=shape)
    )


def test_components_are_unbiased_and_intervals_cover():
    generator, deviations, shape = np.random.default_rng(0), (0.03, 0.02, 0.025, 0.01), (10, 3, 12)
    found = [variance_components(table_of(simulate(generator, deviations, shape))) for _ in range(150)]
    for name, deviation in zip(("split", "seed", "draw", "residual"), deviations, strict=True):
        parts = [getattr(each, name) for each in found]
        assert np.mean([part.estimate for part in parts]) == pytest.approx(deviation**2, rel=0.15)
        covered = np.mean([part.low <= deviation**2 <= part.high for part in parts])
        assert covered == pytest.approx(0.95, abs=0.05)


def test_components_are_those_of_a_mixed_model():
    # Restricted maximum likelihood equals the method of moments for balanced data with positive solutions.
    from statsmodels.regression.mixed_linear_model import MixedLM

    cube = simulate(np.random.default_rng(3), (0.3, 0.2, 0.0, 0.1), (8, 3, 5))
    table = table_of(cube)
    found = variance_components(table)
    table = table.assign(unit=table["split"] * 100 + table["seed"], centred=table["score"])
    table["centred"] -= table.groupby("draw")["score"].transform("mean") - table["score"].mean()
    fitted = MixedLM.from_formula(
        "centred ~ 1", groups="split", re_formula="1", vc_formula={"unit": "0 + C(unit)"}, data=table
    ).fit(reml=True)
    assert found.split.estimate == pytest.approx(fitted.cov_re.iloc[0, 0], rel=0.02)
    assert found.seed.estimate == pytest.approx(fitted.vcomp[0], rel=0.02)
    # the model does not know that four degrees of freedom went into the means of the draws
    assert found.residual.estimate == pytest.approx(fitted.scale * 96 / 92, rel=0.02)


def test_parts_add_up_to_the_exact_table():
    split = np.array([-1.0, 0.0, 1.0])[:, None, None]
    seed = np.array([-0.5, 0.5])[None, :, None]
    draw = np.array([-2.0, 2.0])[None, None, :]
    found = variance_components(table_of(split + seed + draw + np.zeros((3, 2, 2))))
    assert found.residual.estimate == pytest.approx(0, abs=1e-12)
    assert found.draw.estimate == pytest.approx(8.0)
    assert found.seed.estimate == pytest.approx(0.5)
    assert found.split.estimate == pytest.approx(1.0 - 0.25)
    assert found.total == pytest.approx(9.25)
    assert sum(found.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("shape", "known"),
    [
        ((6, 3, 4), {"split", "seed", "draw", "residual"}),
        ((6, 1, 4), {"split", "draw", "residual"}),
        ((6, 3, 1), {"split", "seed"}),
        ((6, 1, 1), {"split"}),
        ((1, 3, 4), {"seed", "draw", "residual"}),
        ((1, 1, 4), set()),
        ((1, 1, 1), set()),
    ],
)
def test_a_part_that_the_design_cannot_tell_is_unknown(shape, known):
    found = variance_components(table_of(simulate(np.random.default_rng(1), (1, 1, 1, 1), shape)))
    assert {name for name in ("split", "seed", "draw", "residual") if not math.isnan(getattr(found, name)[0])} == known
    assert (found.splits, found.seeds, found.draws) == shape


def test_a_column_of_draws_may_be_absent_or_undefined():
    cube = simulate(np.random.default_rng(2), (1, 1, 0, 0), (5, 2, 1))
    plain = variance_components(table_of(cube))
    assert variance_components(table_of(cube).drop(columns="draw")) == plain
    assert variance_components(table_of(cube).assign(draw=None)) == plain


def test_columns_may_be_nullable():
    table = table_of(simulate(np.random.default_rng(2), (1, 1, 1, 1), (5, 2, 3)))
    plain = variance_components(table)
    nullable = table.astype({"split": "string", "seed": "Int64", "draw": "Int64", "score": "Float64"})
    assert variance_components(nullable) == plain
    # as in a ledger: arms without draws, and a run without a score
    assert variance_components(nullable.query("draw == 0").assign(draw=pd.array([pd.NA] * 10, "Int64"))).draws == 1
    missing = nullable["score"].mask((nullable["split"] == "4") & (nullable["draw"] == 1))
    assert variance_components(nullable.assign(score=missing)) == replace(
        variance_components(table[table["split"] < 4]), left_out=1
    )
    with pytest.raises(InputError, match="a split or seed is undefined"):
        variance_components(nullable.assign(seed=pd.array([pd.NA] * 30, "Int64")))


def test_seeds_are_numbered_within_their_split():
    table = table_of(simulate(np.random.default_rng(2), (1, 1, 1, 1), (5, 2, 3)))
    derived = table.assign(seed=table["split"] * 1000 + table["seed"])
    assert variance_components(derived) == variance_components(table)


def test_incomplete_draws_and_splits_are_left_out():
    cube = simulate(np.random.default_rng(4), (1, 1, 1, 1), (5, 2, 6))
    whole = variance_components(table_of(np.delete(cube, 3, axis=2)))
    cube[2, 1, 3], cube[4, 0, 3] = math.nan, math.nan
    found = variance_components(table_of(cube).dropna())
    assert (found.draws, found.splits, found.left_out) == (5, 5, 1)
    assert found.draw == whole.draw
    assert found.split == whole.split
    nothing = variance_components(table_of(np.full((2, 2, 2), math.nan)))
    assert math.isnan(nothing.split.estimate)


def test_interval_of_a_lone_mean_square_is_exact():
    found = multiple_of(MeanSquare(2.0, 10), 4, 0.05)
    assert found.estimate == 0.5
    assert 10 * 0.5 / found.low == pytest.approx(stats.chi2.ppf(0.975, 10))
    assert 10 * 0.5 / found.high == pytest.approx(stats.chi2.ppf(0.025, 10))
    # nothing below: the interval of a difference becomes that of the one mean square
    assert difference_of(MeanSquare(2.0, 10), MeanSquare(0.0, 30), 4, 0.05) == pytest.approx(found)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"split": [0], "score": [0.5]}), "the table of runs has no column 'seed'"),
        (pd.DataFrame({"split": [], "seed": [], "score": []}), "the table of runs is empty"),
        (pd.DataFrame({"split": [0, 0], "seed": [1, 1], "score": [0.5, 0.5]}), "two rows of the table have the same"),
    ],
)
def test_bad_tables_are_refused(table, message):
    with pytest.raises(InputError, match=message):
        variance_components(table)


def standardized(count):
    """Values with mean 0 and variance 1."""
    wave = np.linspace(-1, 1, count)
    return wave / wave.std(ddof=1)


def with_splits(count, mean, deviation, rope):
    return compare_scores(mean + deviation * standardized(count), np.zeros(count), test_fraction=0.2, rope=rope)


@pytest.mark.parametrize(
    ("mean", "deviation", "rope", "outcome"),
    [(0.02, 0.016, 0.001, "better"), (-0.02, 0.016, 0.001, "worse"), (0.001, 0.008, 0.01, "equivalent")],
)
def test_planned_splits_decide_and_one_less_does_not(mean, deviation, rope, outcome):
    now = with_splits(5, mean, deviation, rope)
    assert now.verdict == "inconclusive"
    plan = splits_needed(now)
    assert (plan.outcome, plan.unit, plan.now) == (outcome, "splits", 5)
    assert with_splits(plan.needed, mean, deviation, rope).verdict == outcome
    assert with_splits(plan.needed - 1, mean, deviation, rope).verdict == "inconclusive"
    assert f"{plan.needed - 5} more splits would decide for '{outcome}'" in plan.sentence


def test_more_repeats_cannot_pass_the_limit_of_the_folds():
    # error >= sqrt(1/4) deviation: 2.228 of these, the quantile of t with 10 degrees of freedom, are the narrowest
    plan = splits_needed(with_splits(10, 0.011, 0.01, 0.0))
    assert plan.limit == pytest.approx(2.228139 * math.sqrt(0.25) * 0.01)
    assert (plan.needed, plan.outcome) == (None, "inconclusive")
    assert plan.sentence.startswith("No number of splits decides: the interval cannot become narrower than ±0.011")
    assert splits_needed(with_splits(10, 0.0112, 0.01, 0.0)).needed > 11


def test_decided_comparisons_need_no_more():
    plan = splits_needed(with_splits(25, 0.05, 0.01, 0.01))
    assert plan.needed <= 25
    assert "the 25 splits there are would decide" in plan.sentence


def test_planned_seeds_take_away_their_variance_alone():
    now = with_splits(10, 0.02, 0.03, 0.001)
    seed_variance, seeds = 0.0015, 2
    plan = seeds_needed(now, seed_variance, seeds)

    def verdict(count):
        variance = 0.03**2 - seed_variance / seeds + seed_variance / count
        return with_splits(10, 0.02, math.sqrt(variance), 0.001).verdict

    assert (verdict(plan.needed), verdict(plan.needed - 1)) == ("better", "inconclusive")
    assert seeds_needed(now, 0.0).needed is None
    assert seeds_needed(now, 0.0).limit == pytest.approx(now.estimate.half_width)


def test_families_need_more():
    from axonlight.comparison import adjust

    now = with_splits(5, 0.02, 0.0105, 0.001)
    alone, among_ten = splits_needed(now), splits_needed(adjust([now] * 10)[0])
    assert 2 < alone.needed < among_ten.needed < 100


def test_a_single_split_cannot_be_planned_from():
    plan = splits_needed(compare_scores([0.5], [0.4], test_fraction=0.2, rope=0.01))
    assert (plan.needed, plan.outcome) == (None, "inconclusive")
    assert seeds_needed(compare_scores([0.5], [0.4], test_fraction=0.2, rope=0.01), 0.1).needed is None


@pytest.mark.parametrize("floor", [0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0003])
def test_draws_reach_the_floor_and_one_less_does_not(floor):
    needed = draws_needed(floor)
    assert 1 / (1 + needed) <= floor * (1 + 1e-12)
    assert 1 / needed > floor


def test_draws_that_decide():
    nine_of_200 = empirical_p(0.5, [0.6] * 9 + [0.4] * 191)
    assert nine_of_200.p < 0.05
    assert draws_to_decide(nine_of_200) == 200
    one_of_30 = empirical_p(0.5, [0.6] + [0.4] * 29)
    needed = draws_to_decide(one_of_30)
    assert (1 + needed / 30) / (1 + needed) <= 0.05 < (1 + (needed - 1) / 30) / needed
    assert draws_to_decide(empirical_p(0.5, [0.6] * 2 + [0.4] * 28)) is None
    assert draws_to_decide(empirical_p(math.nan, [0.4] * 3)) == 19


@pytest.mark.parametrize("floor", [0, 1, -0.1, math.nan])
def test_impossible_floors_are_refused(floor):
    with pytest.raises(InputError, match="p_floor is"):
        draws_needed(floor)


def test_impossible_seeds_are_refused():
    with pytest.raises(InputError, match="a variance is not negative"):
        seeds_needed(with_splits(5, 0.02, 0.018, 0.001), -1.0)
