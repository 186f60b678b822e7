"""Rank stability and hub bias against published examples, closed forms, other libraries and brute force."""

from itertools import chain, groupby, permutations, product

import numpy as np
import pytest
import torch
from axonlight.attribution import attribute, hub_bias, kendall_w, rank_biased_overlap, rank_stability
from axonlight.errors import InputError
from axonlight.models import PathwayNetwork
from axonlight.structures import Hierarchy
from scipy import stats


def test_kendall_w_of_a_published_example():
    # Three interviewers, six applicants (S. Siegel, Nonparametric statistics, 1956, ch. 9): W = .16
    ranks = [[5, 4, 1, 6, 3, 2], [2, 3, 1, 5, 6, 4], [4, 1, 6, 3, 2, 5]]
    sums = np.sum(ranks, axis=0)
    assert kendall_w(ranks).w == pytest.approx(12 * ((sums - 10.5) ** 2).sum() / (9 * (216 - 6)), rel=1e-12)
    assert round(kendall_w(ranks).w, 3) == 0.162


@pytest.mark.parametrize("levels", [3, 5, 1000])
def test_kendall_w_with_ties_equals_friedman(levels):
    scores = np.random.default_rng(levels).integers(0, levels, (6, 15)).astype(float)
    statistic, p = stats.friedmanchisquare(*scores.T)
    found = kendall_w(scores)
    assert found.w == pytest.approx(statistic / (6 * 14), rel=1e-12)
    assert found.p == pytest.approx(p, rel=1e-12)


def test_kendall_w_at_its_ends():
    assert kendall_w([[1, 2, 3], [10, 20, 30]]).w == 1.0
    assert kendall_w([[1, 2, 3], [3, 2, 1]]).w == 0.0
    assert np.isnan(kendall_w([[1, 1, 1], [2, 2, 2]]).w)


def overlap_by_definition(first, second, persistence, terms=2000):
    """The infinite sum over depths; behind the last node all nodes are in both orders."""
    agreement = [len(set(first[:depth]) & set(second[:depth])) / min(depth, len(first)) for depth in range(1, terms)]
    return (1 - persistence) * sum(persistence**place * share for place, share in enumerate(agreement))


@pytest.mark.parametrize("persistence", [0.5, 0.9, 0.98])
def test_rank_biased_overlap_equals_the_infinite_sum(persistence):
    generator = np.random.default_rng(0)
    for size in (1, 2, 7, 30):
        one, two = generator.permutation(size), generator.permutation(size)
        orders = np.argsort(-one).tolist(), np.argsort(-two).tolist()
        expected = overlap_by_definition(*orders, persistence)
        assert rank_biased_overlap(one, two, persistence) == pytest.approx(expected, rel=1e-10)


def test_rank_biased_overlap_of_a_published_example():
    # a b c d e against b c d a e, p = 0.9: 0.828 in the documentation of several libraries
    assert rank_biased_overlap([5, 4, 3, 2, 1], [2, 5, 4, 3, 1], 0.9) == pytest.approx(0.828, abs=5e-4)


def orders_of(scores):
    groups = [list(group) for _, group in groupby(np.argsort(-scores, kind="stable"), key=lambda place: scores[place])]
    return [list(chain.from_iterable(parts)) for parts in product(*map(permutations, groups))]


def test_ties_give_the_mean_over_all_ways_to_break_them():
    one, two = np.array([3, 1, 1, 1, 0, 0]), np.array([2, 2, 2, 5, 1, 0])
    pairs = list(product(orders_of(one), orders_of(two)))
    expected = np.mean([overlap_by_definition(*pair, 0.8) for pair in pairs])
    assert rank_biased_overlap(one, two, 0.8) == pytest.approx(expected, rel=1e-12)
    shared = np.mean([len({*a[:2]} & {*b[:2]}) / 2 for a, b in pairs])
    table = rank_stability([one, two], top=[2]).table
    assert table.loc[table["measure"] == "overlap", "value"].item() == pytest.approx(shared, rel=1e-12)


def test_random_orders_agree_as_chance_says():
    generator = np.random.default_rng(5)
    tables = [rank_stability(generator.random((3, 25)), top=[5, 10, 25, 30]).table for _ in range(300)]
    assert tables[0]["top"].dropna().tolist() == [5, 10]  # 25 of 25 would always agree
    values = np.stack([table["value"] for table in tables])
    error = values.std(axis=0, ddof=1) / 300**0.5
    assert (np.abs(values.mean(axis=0) - tables[0]["chance"]) < 4 * error).all()
    assert tables[0]["chance"].tolist()[:2] == [5 / 25, 10 / 25]


def test_corrected_is_one_where_all_agree_and_kuncheva_between():
    same = rank_stability([np.arange(12.0)] * 3, top=[4]).table
    assert same["corrected"].to_numpy() == pytest.approx(np.ones(3))
    one, two = np.arange(12.0), np.arange(12.0)
    two[[11, 0]] = two[[0, 11]]  # 3 of the 4 best in common
    found = rank_stability([one, two], top=[4]).table["corrected"][0]
    assert found == pytest.approx((3 * 12 - 4**2) / (4 * (12 - 4)))


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ([[1.0, 2.0]], {}, "scores holds 1 networks"),
        ([[1.0, 2.0], [1.0]], {}, "network 1 has other nodes"),
        ([[1.0, 2.0]] * 2, {"top": [0]}, r"top is \[0\]"),
        ([[1.0, 2.0]] * 2, {"persistence": 1.0}, "persistence is 1.0; it must be between 0 and 1"),
    ],
)
def test_unusable_rankings_are_refused(scores, options, message):
    with pytest.raises(InputError, match=message):
        rank_stability(scores, **options)
    with pytest.raises(InputError, match="the scores have the shapes"):
        rank_biased_overlap([1.0], [1.0, 2.0])


def made_scores(seed=0, size=80):
    generator = np.random.default_rng(seed)
    degrees = generator.integers(1, 50, size).astype(float)
    return degrees**0.7 * generator.lognormal(0, 0.4, size), degrees


def test_hub_bias_equals_linregress_and_the_sandwich_by_hand():
    scores, degrees = made_scores()
    row = hub_bias(scores, degrees).table.set_index("adjust").loc["none"]
    x, y = np.log(degrees), np.log(scores)
    line = stats.linregress(x, y)
    assert row["slope"] == pytest.approx(line.slope, rel=1e-10)
    assert row["r2"] == pytest.approx(line.rvalue**2, rel=1e-10)
    design = np.stack([np.ones(80), x], axis=1)
    bread = np.linalg.inv(design.T @ design)
    residuals = (y - design @ (bread @ design.T @ y)) / (1 - np.einsum("ij,jk,ik->i", design, bread, design))
    error = np.sqrt((bread @ (design.T * residuals**2) @ design @ bread)[1, 1])
    half = stats.t.ppf(0.975, 78) * error
    assert row[["low", "high"]].tolist() == pytest.approx([line.slope - half, line.slope + half], rel=1e-9)
    assert row["p"] == pytest.approx(2 * stats.t.sf(line.slope / error, 78), rel=1e-8)


def test_dividing_by_the_degree_takes_one_from_the_slope():
    table = hub_bias(*made_scores()).table.set_index("adjust")
    assert table.loc["none", "slope"] - table.loc["degree", "slope"] == pytest.approx(1, abs=1e-12)


def test_hub_bias_of_ranks_and_of_nodes_without_score():
    scores, degrees = made_scores()
    scores[:5] = 0
    logs, ranks = (hub_bias(scores, degrees, response=kind).table.iloc[0] for kind in ("log", "rank"))
    assert (logs["nodes"], logs["left_out"], ranks["nodes"]) == (75, 5, 80)
    expected = stats.linregress(np.log(degrees), stats.rankdata(scores) / 80).slope
    assert ranks["slope"] == pytest.approx(expected, rel=1e-10)
    alone = hub_bias([1.0, 2.0, 3.0], [4, 4, 4]).table.iloc[0]
    assert np.isnan(alone["slope"])


def test_hub_bias_of_attributions_has_every_layer_and_adjustment():
    generator = np.random.default_rng(0)
    edges = {("cell", f"p{number}") for number in range(6)}
    edges |= {(f"p{generator.integers(6)}", f"g{gene}") for gene in range(20) for _ in range(2)}
    hierarchy = Hierarchy.from_edges(sorted(edges))
    network = PathwayNetwork(len(hierarchy.features), 1, hierarchy)
    found = attribute(network, torch.randn(8, len(hierarchy.features)), method="deep_lift")
    table = hub_bias(found).table
    assert table["layer"].unique().tolist() == ["features", "level_2", "level_1"]
    assert table["adjust"].tolist() == ["none", "degree", "subgraph"] * 3
    chosen = table.query("layer == 'level_2' and adjust == 'none'").iloc[0]
    degrees = hierarchy.in_degrees[1] + hierarchy.out_degrees[1]
    line = stats.linregress(np.log(degrees), np.log(np.abs(found.scores["level_2"]).mean(axis=0)))
    assert chosen["slope"] == pytest.approx(line.slope, rel=1e-9)
    assert np.isnan(table.query("layer == 'level_1'")["slope"]).all()  # one node


def test_hub_bias_refuses_what_it_cannot_regress():
    with pytest.raises(InputError, match="degrees are missing"):
        hub_bias([1.0, 2.0])
    with pytest.raises(InputError, match="give one of each per node"):
        hub_bias([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="response is 'size'; it must be one of log, rank"):
        hub_bias([1.0], [1.0], response="size")
