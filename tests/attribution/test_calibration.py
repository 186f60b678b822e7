"""Calibrated importance against figures by hand and brute force."""

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.attribution import attribute, calibrate_importance
from axonlight.errors import InputError
from axonlight.models import PathwayNetwork
from axonlight.structures import Hierarchy
from hypothesis import given
from hypothesis import strategies as st

EDGES = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("repair", "TP53"), ("death", "TP53")]


def row_of(found, node):
    return found.table.set_index("node").loc[node]


def test_z_and_p_by_hand():
    null = [[2.0, 9.0], [4.0, 9.0], [6.0, 1.0], [8.0, 1.0]]
    found = calibrate_importance([6.0, 0.0], null, scale="raw")
    # mean 5, squares 9 + 1 + 1 + 9 over 3; two of four draws reach 6
    first = row_of(found, "0")
    assert (first["null_mean"], first["p"]) == (5.0, 3 / 5)
    assert first["null_sd"] == pytest.approx((20 / 3) ** 0.5, rel=1e-14)
    assert first["z"] == pytest.approx(1 / (20 / 3) ** 0.5, rel=1e-14)
    assert row_of(found, "1")["p"] == 1.0
    assert first[["null_low", "null_high"]].tolist() == pytest.approx([2.15, 7.85])  # 0.075 steps of 2 from the ends
    assert found.floor == 0.2


def adjusted_by_definition(p):
    """Benjamini and Hochberg: the smallest n / j p_(j) over the ranks j at or above that of each p."""
    return [min(1.0, *(len(p) / sum(q <= other for q in p) * other for other in p if other >= one)) for one in p]


def test_p_is_adjusted_within_each_layer():
    generator = np.random.default_rng(0)
    null = [{"low": generator.random(30), "high": generator.random(4)} for _ in range(49)]
    real = {"low": generator.random(30) * 1.3, "high": generator.random(4) * 1.3}
    found = calibrate_importance(real, null, scale="raw")
    for layer, size in (("low", 30), ("high", 4)):
        part = found.table[found.table["layer"] == layer]
        assert len(part) == size
        assert part["p_adjusted"].to_numpy() == pytest.approx(adjusted_by_definition(part["p"].tolist()), rel=1e-12)
        counted = [1 + sum(draw[layer][int(node)] >= real[layer][int(node)] for draw in null) for node in part["node"]]
        assert part["p"].to_numpy() == pytest.approx(np.array(counted) / 50, rel=1e-15)


def test_shares_do_not_depend_on_the_size_of_the_outputs():
    generator = np.random.default_rng(1)
    real, null = generator.random(12), list(generator.random((20, 12)))
    plain = calibrate_importance(real, null).table
    louder = calibrate_importance(4 * real, [2.0**number * draw for number, draw in enumerate(null)]).table
    pd.testing.assert_frame_equal(plain, louder)
    assert plain["score"].sum() == pytest.approx(1)


def test_p_is_uniform_where_the_real_scores_are_one_more_draw():
    generator = np.random.default_rng(2)
    draws = generator.exponential(size=(400, 20, 50))
    p = [calibrate_importance(each[0], list(each[1:])).table["p"] for each in draws]
    # 20 possible values, each with probability 1/20; 20,000 p values that share sums of a layer
    share = np.bincount((np.concatenate(p) * 20).round().astype(int), minlength=21)[1:] / 20_000
    assert np.abs(share - 0.05).max() < 0.01


def test_a_position_without_spread_has_no_z():
    found = calibrate_importance([0.1, 0.9], [[0.1, 0.7], [0.1, 0.8], [0.1, 0.6]], scale="raw")
    still = row_of(found, "0")
    assert np.isnan(still["z"])
    assert (still["null_mean"], still["null_sd"], still["p"]) == (0.1, 0.0, 1.0)


def network_scores(hierarchy, seed):
    torch.manual_seed(seed)
    network = PathwayNetwork(2, 1, hierarchy, norm="none")
    return attribute(network, torch.randn(16, 2, generator=torch.Generator().manual_seed(0)), method="deep_lift")


def test_attributions_are_matched_by_name_and_layer():
    hierarchy = Hierarchy.from_edges(EDGES)
    real, null = network_scores(hierarchy, 0), [network_scores(hierarchy, seed) for seed in range(1, 5)]
    found = calibrate_importance(real, null, scale="raw", name="other seeds")
    scores = [np.abs(each.scores["level_2"]).mean(axis=0) for each in [real, *null]]
    place = hierarchy.nodes[1].index("repair")
    repair = row_of(found, "repair")
    assert repair["score"] == pytest.approx(scores[0][place])
    assert repair["null_mean"] == pytest.approx(np.mean(scores[1:], axis=0)[place])
    assert repair["degree"] == 3
    # `table` sorts by score: the same result says that rows are found by name
    from_tables = calibrate_importance(real.table(), [each.table() for each in null], scale="raw")
    pd.testing.assert_frame_equal(found.table, from_tables.table)
    assert str(found).startswith("4 draws of other seeds; smallest possible p 0.2\nfeatures: 0 of 2 nodes")


def test_hub_bias_of_what_only_follows_the_degree():
    generator = np.random.default_rng(3)
    degrees = generator.integers(1, 40, 200)
    nodes = [f"n{number}" for number in range(200)]

    def draw():
        score = degrees * generator.lognormal(0, 0.5, 200)
        return pd.DataFrame({"layer": "low", "node": nodes, "score": score, "degree": degrees})

    bias = calibrate_importance(draw(), [draw() for _ in range(30)]).hub_bias().table.set_index("adjust")
    assert bias.loc["none", "r2"] > 0.5
    assert bias.loc["z", "r2"] < 0.1
    assert bias.loc["z", "low"] < 0 < bias.loc["z", "high"]


def test_the_table_survives_a_file(tmp_path):
    found = calibrate_importance({"a": [1.0, 2.0]}, [{"a": [1.0, 3.0]}, {"a": [2.0, 1.0]}])
    pd.testing.assert_frame_equal(
        pd.read_csv(found.to_csv(tmp_path / "importance.csv"), dtype={"node": str, "title": str, "degree": "Int64"}),
        found.table,
        check_dtype=False,
    )
    assert found.significant(1.0).equals(found.table)
    assert found.significant().empty


@pytest.mark.parametrize(
    ("real", "null", "options", "message"),
    [
        ([1.0], [[1.0]], {}, "null holds 1 draws"),
        ([1.0], [[1.0], [2.0]], {"scale": "z"}, "scale is 'z'; it must be one of share, raw"),
        ([1.0], [[1.0], [2.0, 3.0]], {}, "null 1 has other nodes on layer nodes"),
        ({"a": [1.0]}, [{"b": [1.0]}] * 2, {}, "null 0 has no layer a; it has b"),
        ([np.nan], [[1.0], [2.0]], {}, "scores of layer nodes are not finite for 0"),
        ([[1.0]], [[1.0], [2.0]], {}, r"scores have the shape \(1, 1\)"),
        ([1.0, -1.0], [[1.0, 1.0]] * 2, {}, "are negative or all 0"),
        (pd.DataFrame({"node": ["a"]}), [[1.0]] * 2, {}, "lacks the columns layer, score"),
        (
            pd.DataFrame({"layer": "a", "node": ["x", "x"], "score": 1.0}),
            [[1.0]] * 2,
            {},
            "names a node of layer a twice",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(real, null, options, message):
    with pytest.raises(InputError, match=message):
        calibrate_importance(real, null, **options)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=6), st.integers(2, 8), st.integers(0, 2**32))
def test_figures_stay_in_their_ranges(real, draws, seed):
    null = np.random.default_rng(seed).random((draws, len(real)))
    table = calibrate_importance(real, list(null), scale="raw").table
    assert ((table["p"] >= 1 / (1 + draws)) & (table["p"] <= table["p_adjusted"]) & (table["p_adjusted"] <= 1)).all()
    assert sorted(table["node"]) == [str(number) for number in range(len(real))]
