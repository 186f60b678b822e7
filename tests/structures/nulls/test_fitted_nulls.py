"""Null models that need data: what they are fitted on, bins and modules against pandas, wrong tables."""

import numpy as np
import pandas as pd
import pytest
from axonlight.structures import Coexpression, Hierarchy, PermuteInputsWithinBins

pytestmark = pytest.mark.xdist_group("fitted_nulls")  # its fixtures are made once

FEATURES = [f"g{place}" for place in range(24)]
FITTED = [
    lambda: PermuteInputsWithinBins("mean", bins=4),
    lambda: PermuteInputsWithinBins("variance", bins=4),
    lambda: PermuteInputsWithinBins("missingness", bins=4),
    lambda: Coexpression(min_rows=5),
    lambda: Coexpression(signed=True, min_rows=5),
]


@pytest.fixture(scope="module")
def real():
    edges = [(f"p{place % 6}", name) for place, name in enumerate(FEATURES)]
    edges += [(f"p{place % 4}", name) for place, name in enumerate(FEATURES[5:15]) if place % 4 != (place + 5) % 6]
    edges += [(f"r{place % 2}", f"p{place}") for place in range(6)]
    return Hierarchy.from_edges(edges, features=FEATURES)


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(60, 6))
    values = hidden[:, np.arange(24) // 4] + rng.normal(size=(60, 24)) * 0.4 + rng.normal(size=24) * 3
    values *= rng.uniform(0.5, 3, size=24)
    values[rng.random((60, 24)) < rng.uniform(0, 0.6, size=24)] = np.nan
    return values


def children(hierarchy):
    return {name: set(hierarchy.children(name)) for name in hierarchy.nodes[1]}


@pytest.mark.parametrize("make", FITTED)
def test_rows_that_are_not_for_training_change_nothing(make, real, table):
    train = np.arange(60) % 3 > 0
    spoilt = table.copy()
    spoilt[~train] = 1e6
    draws = [make().fit(values[train], FEATURES)(real, 3) for values in (table, spoilt)]
    assert draws[0] == draws[1]
    leaked = [make().fit(values, FEATURES)(real, seed) for values in (table, spoilt) for seed in range(5)]
    assert leaked[:5] != leaked[5:]


@pytest.mark.parametrize("make", FITTED)
def test_what_was_fitted_is_not_the_callers_array(make, real, table):
    null = make().fit(table, FEATURES)
    before = null(real, 0)
    table[:] = 0
    assert null(real, 0) == before


@pytest.mark.parametrize("make", FITTED)
def test_the_order_of_columns_does_not_matter(make, real, table):
    order = np.random.default_rng(2).permutation(24)
    turned = make().fit(table[:, order], [FEATURES[place] for place in order])
    assert turned(real, 1) == make().fit(table, FEATURES)(real, 1)


@pytest.mark.parametrize("make", FITTED)
def test_values_filled_in_count_as_missing_by_their_mask(make, real, table):
    present = ~np.isnan(table)
    filled = np.concatenate([np.where(present, table, -7.0), present], axis=1)
    names = [*FEATURES, *(f"{name}=present" for name in FEATURES)]
    assert make().fit(filled, names)(real, 2) == make().fit(table, FEATURES)(real, 2)


@pytest.mark.parametrize("by", ["mean", "variance", "missingness", "degree"])
def test_features_move_within_bins_only(by, real, table):
    frame = pd.DataFrame(table, columns=FEATURES)
    statistic = {
        "mean": frame.mean(),
        "variance": frame.var(ddof=0),
        "missingness": frame.isna().mean(),
        "degree": pd.Series([len(real.parents(name)) for name in FEATURES], FEATURES),
    }[by]
    null = PermuteInputsWithinBins(by, bins=4).fit(table, FEATURES)
    borders = np.sort(statistic.to_numpy())[[6, 12, 18]]
    bins = np.searchsorted(borders, statistic.to_numpy(), side="right")
    sets = {name: real.parents(name) for name in FEATURES}
    moved = 0
    for seed in range(10):
        draw = null(real, seed)
        for number in np.unique(bins):
            inside = [name for name, found in zip(FEATURES, bins, strict=True) if found == number]
            assert sorted(sorted(draw.parents(name)) for name in inside) == sorted(
                sorted(sets[name]) for name in inside
            )
            moved += sum(draw.parents(name) != sets[name] for name in inside)
    assert moved > 50


@pytest.mark.parametrize("signed", [False, True])
def test_modules_are_a_feature_and_those_that_correlate_most_with_it(signed, real, table):
    correlation = pd.DataFrame(table, columns=FEATURES).corr(min_periods=5).fillna(0.0)
    strength = correlation.clip(lower=0) if signed else correlation.abs()
    null = Coexpression(signed=signed, min_rows=5).fit(table, FEATURES)
    starts = set()
    for seed in range(10):
        for members in children(null(real, seed)).values():
            around = [
                name
                for name in members
                if {name, *strength[name].drop(name).nlargest(len(members) - 1).index} == members
            ]
            assert around
            starts.update(around[:1])
    assert len(starts) > 12


def test_modules_reach_every_feature_while_there_are_sets_enough(real, table):
    edges = [(f"p{place}", name) for place, name in enumerate(FEATURES)] + [
        (f"p{place}", "g0") for place in range(1, 24)
    ]
    single = Hierarchy.from_edges(edges, features=FEATURES)
    draw = Coexpression(min_rows=5).fit(table, FEATURES)(single, 0)
    assert all(draw.parents(name) for name in FEATURES)


def test_several_columns_of_a_feature_are_one_feature(real, table):
    doubled = np.concatenate([table, table * 2 + 1], axis=1)
    names = [*FEATURES, *(f"{name}=again" for name in FEATURES)]
    null = Coexpression(min_rows=5)
    assert null.fit(doubled, names)(real, 4) == Coexpression(min_rows=5).fit(table, FEATURES)(real, 4)
    binned = PermuteInputsWithinBins("mean", bins=4).fit(doubled, names)
    frame = pd.DataFrame(table, columns=FEATURES)
    assert binned(real, 4) == PermuteInputsWithinBins("mean", bins=4).fit(frame.to_numpy() * 1.5 + 0.5, FEATURES)(
        real, 4
    )


@pytest.mark.parametrize("scale", [1.0, -3.0])
def test_scaling_does_not_change_modules(scale, real, table):
    draw = Coexpression(min_rows=5).fit(table, FEATURES)(real, 1)
    assert Coexpression(min_rows=5).fit(table * scale + 9, FEATURES)(real, 1) == draw


def test_features_taken_above_are_those_that_no_child_brings(table):
    edges = [(f"p{place % 3}", name) for place, name in enumerate(FEATURES[:12])]
    edges += [("r", "p0"), ("r", "p1"), ("s", "p2"), *(("r", name) for name in FEATURES[12:20]), ("s", "g20")]
    real = Hierarchy.from_edges(edges, features=FEATURES[:21], attach="every", fill="skip", level_rule="longest")
    assert {block[:2] for block in real.edges} == {(0, 1), (1, 2), (0, 2)}
    from axonlight.structures import RandomGeneSets

    for null in (RandomGeneSets(), Coexpression(min_rows=5).fit(table, FEATURES)):
        for seed in range(10):
            draw = null(real, seed)
            direct = set(draw.children("r")) & set(FEATURES)
            assert len(direct) == 8
            assert not direct & (set(draw.children("p0")) | set(draw.children("p1")))


def test_a_feature_taken_twice_comes_only_when_others_run_out():
    from axonlight.structures import RandomGeneSets

    pairs = np.stack([np.arange(5), np.zeros(5, dtype=int)])
    some = np.array([[0, 1, 2], [0, 0, 0]])
    nodes = [list("abcdef"), ["p"], ["r"]]
    real = Hierarchy(("features", "level_2", "level_1"), nodes, [(0, 1, pairs), (0, 2, some), (1, 2, [[0], [0]])])
    for seed in range(10):
        draw = RandomGeneSets()(real, seed)
        inside = set(draw.children("p"))
        above = set(draw.children("r")) - {"p"}
        assert len(above) == 3
        assert len(above - inside) == 1


@pytest.mark.parametrize("make", FITTED)
def test_what_is_not_fitted_does_not_draw(make, real):
    null = make()
    assert null.needs_data
    with pytest.raises(ValueError, match=r"is not fitted; call fit with the training rows before it draws"):
        null(real, 0)


def test_bins_of_degrees_need_no_data(real):
    null = PermuteInputsWithinBins()
    assert not null.needs_data
    assert null.fit(np.zeros((1, 1)), ["else"]) is null


@pytest.mark.parametrize("make", FITTED)
def test_features_that_it_was_not_fitted_on_are_named(make, real, table):
    with pytest.raises(ValueError, match=r"was fitted without 2 features of the hierarchy \(g22, g23\)"):
        make().fit(table[:, :22], FEATURES[:22])(real, 0)


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        (np.zeros(4), FEATURES[:4], r"x_train has the shape \(4,\); it must be two or more training rows"),
        (np.zeros((1, 4)), FEATURES[:4], r"the shape \(1, 4\)"),
        (np.zeros((20, 3)), FEATURES[:4], r"3 columns for 4 different names"),
        (np.zeros((20, 2)), ["a", "a"], r"2 columns for 1 different names"),
        (np.full((20, 1), np.inf), ["a"], r"infinite values"),
        (np.full((20, 2), 0.5), ["a", "a=present"], r"column a=present has values other than 0 and 1"),
        (np.zeros((4, 1)), ["a"], r"x_train has 4 rows; it must have min_rows=10 or more"),
    ],
)
def test_wrong_tables(values, names, message):
    with pytest.raises(ValueError, match=message):
        Coexpression().fit(values, names)


@pytest.mark.parametrize("by", ["mean", "variance"])
def test_standardised_rows_have_no_bins(by, table):
    scaled = (table - np.nanmean(table, axis=0)) / np.nanstd(table, axis=0)
    with pytest.raises(ValueError, match=f"the {by} of every feature is about .* as they were before they were stand"):
        PermuteInputsWithinBins(by).fit(scaled.astype(np.float32), FEATURES)
