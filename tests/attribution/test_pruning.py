"""Pruning of spurious edges: figures by hand, and networks that must and must not prune."""

from functools import partial

import numpy as np
import pytest
import torch
from axonlight.attribution import FitOptions, spurious_edge_test, spurious_pruning
from axonlight.datamodules import random_hierarchy
from axonlight.errors import InputError
from axonlight.models import PathwayNetwork
from axonlight.structures import Hierarchy, with_spurious_edges

EDGES = [("cell", "x"), ("cell", "y"), ("x", "A"), ("x", "B"), ("y", "C"), ("y", "D")]
REAL = Hierarchy.from_edges(EDGES)


def set_weights(network, sizes):
    """Give each edge the size that its names ask for, with changing signs."""
    for layer, part in network.edge_table().groupby("target_layer"):
        values = [
            sizes[source, target] * (-1) ** place
            for place, (source, target) in enumerate(zip(part["source"], part["target"], strict=True))
        ]
        with torch.no_grad():
            network.layers[layer].linear.weight.copy_(torch.tensor(values))


def test_shares_and_auroc_by_hand():
    wider = Hierarchy.from_edges([*EDGES, ("x", "C"), ("x", "D"), ("y", "A")])
    network = PathwayNetwork(4, 1, wider)
    real = {("A", "x"): 3.0, ("B", "x"): 0.1, ("C", "y"): 2.0, ("D", "y"): 1.0, ("x", "cell"): 1.0, ("y", "cell"): 0.01}
    set_weights(network, real | {("C", "x"): 0.1, ("D", "x"): 1.0, ("A", "y"): 0.2})
    table = spurious_pruning(network, REAL, threshold=0.15).table.set_index("layer")
    # into x: 3 above both, 0.1 equal to one and below the other; into y: both above; root mean squares 1.58 and 1.30
    low = table.loc["level_2"]
    assert low[["real", "spurious"]].tolist() == [4, 3]
    assert low["auroc"] == (2 + 0.5 + 2) / 6
    assert low[["pruned_real", "pruned_spurious"]].tolist() == [1 / 4, 1 / 3]
    # no edge was added into cell
    assert table.loc["level_1", ["real", "spurious"]].tolist() == [0, 0]
    assert np.isnan(table.loc["level_1", "auroc"])
    assert table.loc["all"].tolist() == low.tolist()


def test_untrained_networks_tell_nothing():
    hierarchy = random_hierarchy([150, 25, 6], seed=0)
    found = [
        spurious_pruning(PathwayNetwork(150, 1, with_spurious_edges(hierarchy, 1.0, seed).hierarchy), hierarchy)
        for seed in range(6)
    ]
    # nodes of few edges have the larger initial weights, and take more added edges than they have real ones
    assert np.mean([each.overall["auroc"] for each in found]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("design", [{}, {"feature_layer": "always"}, {"units": 3}])
def test_columns_and_units_of_an_edge_count_as_one(design):
    names = ["A", "B=low", "B=high", "C", "D", "age"]
    wider, added = with_spurious_edges(REAL, 0.5, seed=0)
    network = PathwayNetwork(6, 1, wider, names, **design)
    table = spurious_pruning(network, REAL).table.set_index("layer")
    targets = wider.edges[0].pairs[1]
    contested = set(targets[added[0]])
    expected = [sum(end in contested for end in targets[~added[0]]), int(added[0].sum())]
    assert table.loc["level_2", ["real", "spurious"]].tolist() == expected
    assert table.loc["all", ["real", "spurious"]].tolist() == expected


def test_spurious_edges_fade_where_the_real_ones_carry_everything():
    hierarchy, plain = random_hierarchy([40, 8], seed=0), partial(PathwayNetwork, norm="none", dropout=0.0)
    teacher, x = plain(40, 1, hierarchy), torch.randn(600, 40)
    with torch.no_grad():
        # far from linear: of a linear map, any way from a feature to the output would do
        teacher.layers["level_1"].linear.weight.mul_(3)
        y = teacher(x).flatten()
    options = FitOptions(epochs=60, learning_rate=0.02, l1=1e-3)
    found = spurious_edge_test(
        hierarchy, x, y / y.std(), fraction=0.5, network=plain, options=options, seeds=[0, 1]
    ).overall
    before, after = found[~found["trained"]], found[found["trained"]]
    assert (before["auroc"] - 0.5).abs().max() < 0.2
    assert after["auroc"].min() > 0.75
    assert after["pruned_spurious"].min() > 0.6
    assert after["pruned_real"].max() < 0.2


def test_a_test_repeats_itself_and_keeps_the_random_state():
    x = torch.randn(64, 4)
    state = torch.random.get_rng_state()
    runs = [
        spurious_edge_test(REAL, x, (x[:, 0] > 0).long(), options=FitOptions(epochs=2), seeds=[0, 1]) for _ in range(2)
    ]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert runs[0].table.equals(runs[1].table)
    assert runs[0].overall["trained"].tolist() == [False, True, False, True]


def test_what_cannot_be_compared_is_refused():
    network = PathwayNetwork(4, 1, REAL)
    other = Hierarchy.from_edges([("cell", "z"), ("z", "A")])
    with pytest.raises(InputError, match="none of the network's edges"):
        spurious_pruning(network, other)
    with pytest.raises(InputError, match="threshold is 0"):
        spurious_pruning(network, REAL, threshold=0)
    with pytest.raises(InputError, match="integers other than 0 and 1"):
        spurious_edge_test(REAL, torch.randn(8, 4), torch.arange(8))
    with pytest.raises(InputError, match="batch_size is 1; it must be at least 2"):
        FitOptions(batch_size=1)
    with pytest.raises(InputError, match="l1 is -1"):
        FitOptions(l1=-1)
