"""Teacher and student: symmetries that must not count, differences that must."""

from functools import partial

import numpy as np
import pytest
import torch
from axonlight.attribution import FitOptions, compare_insides, teacher_student_test
from axonlight.datamodules import random_hierarchy
from axonlight.errors import InputError
from axonlight.models import PathwayNetwork
from axonlight.structures import Hierarchy

HIERARCHY = random_hierarchy([30, 8, 3], overlap=0.5, seed=1)


def built(seed, hierarchy=HIERARCHY, **options):
    torch.manual_seed(seed)
    return PathwayNetwork(30, 1, hierarchy, norm="none", dropout=0.0, **options).eval()


@torch.no_grad()
def flipped_and_swapped(network, units):
    """Return a network of the same function: a third of the units with the other sign, the units of nodes shuffled."""
    twin = built(99, units=units)
    twin.load_state_dict(network.state_dict())
    generator = np.random.default_rng(0)
    names, before = twin.layer_names, None
    for name in names:
        layer = twin.layers[name].linear
        width = layer.out_features
        signs = np.where(generator.random(width) < 1 / 3, -1.0, 1.0)
        order = np.concatenate([start + generator.permutation(units) for start in range(0, width, units)])
        dense = np.zeros((width, layer.in_features))
        low, high = layer.edges.numpy()
        dense[high, low] = layer.weight.numpy()
        dense = (dense if before is None else dense[:, before[0]] * before[1])[order] * signs[:, None]
        layer.weight.copy_(torch.tensor(dense[high, low]))
        layer.bias.copy_(layer.bias[order] * torch.tensor(signs))
        before = order, signs
    head = next(module for module in twin.heads.modules() if isinstance(module, torch.nn.Linear))
    head.weight.copy_(head.weight[:, before[0]] * torch.tensor(before[1]))
    return twin


@pytest.mark.parametrize("units", [1, 3])
def test_signs_and_the_order_of_units_do_not_count(units):
    network = built(0, units=units).double()
    x = torch.randn(200, 30, dtype=torch.float64)
    twin = flipped_and_swapped(network.float(), units)
    network, twin = network.double(), twin.double()
    assert torch.allclose(network(x), twin(x), atol=1e-6)
    table = compare_insides(network, twin, x)
    assert table[["weights", "activations", "identified"]].to_numpy() == pytest.approx(np.ones((2, 3)), abs=1e-5)


def test_figures_of_two_networks_equal_numpy():
    one, two = built(0), built(1)
    x = torch.randn(100, 30)
    table = compare_insides(one, two, x).set_index("layer")
    a, b = (network.node_activations(x)["level_2"].squeeze(-1).detach().double().numpy() for network in (one, two))
    units = np.array([np.corrcoef(a[:, unit], b[:, unit])[0, 1] for unit in range(8)])
    assert table.loc["level_2", "activations"] == pytest.approx(np.abs(units).mean(), rel=1e-6)
    assert table.loc["level_2", "identified"] == (np.abs(units) >= 0.95).mean()
    linear = one.layers["level_2"].linear, two.layers["level_2"].linear
    signs = np.sign(units)[linear[1].edges[1].numpy()]
    weights = [each.weight.detach().double().numpy() for each in linear]
    assert table.loc["level_2", "weights"] == pytest.approx(np.corrcoef(weights[0], weights[1] * signs)[0, 1], rel=1e-6)


def test_a_student_that_sees_enough_finds_the_teacher():
    found = teacher_student_test(
        HIERARCHY, students=[1], rows=1000, options=FitOptions(epochs=100, learning_rate=0.02)
    ).summary
    before, after = found[~found["trained"]], found[found["trained"]]
    assert after["r2"].min() > 0.99
    assert after["activations"].min() > 0.97
    assert before["activations"].max() < 0.7
    assert before["r2"].max() < 0.3


def test_a_feature_that_two_nodes_share_alone_cannot_be_attributed():
    # Both pathways hold the same features: the output is decided, what each of the two does is not.
    edges = [("cell", "p"), ("cell", "q"), *((pathway, f"g{gene}") for pathway in "pq" for gene in range(6))]
    hierarchy = Hierarchy.from_edges(edges)
    linear = partial(PathwayNetwork, norm="none", dropout=0.0, activation="identity")
    options = FitOptions(epochs=40, learning_rate=0.03)
    found = teacher_student_test(hierarchy, network=linear, students=[1, 2], rows=300, options=options)
    trained = found.summary.query("trained").set_index("layer")
    assert trained["r2"].min() > 0.999
    assert trained.loc["level_1", "activations"] > 0.999
    assert trained.loc["level_2", "activations"] < 0.95
    assert trained.loc["level_2", "weights"] < 0.95


def test_it_repeats_itself_and_keeps_the_random_state():
    state = torch.random.get_rng_state()
    runs = [
        teacher_student_test(HIERARCHY, students=[1, 2], rows=40, test_rows=20, options=FitOptions(epochs=1))
        for _ in range(2)
    ]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert runs[0].table.equals(runs[1].table)
    assert len(runs[0].table) == 2 * 2 * 2


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="seed 1, which is the teacher's"):
        teacher_student_test(HIERARCHY, teacher=1)
    with pytest.raises(InputError, match="both must be at least 4"):
        teacher_student_test(HIERARCHY, rows=2)
    with pytest.raises(InputError, match="wired differently"):
        compare_insides(built(0), built(0, hierarchy=random_hierarchy([30, 8, 3], seed=2)), torch.randn(4, 30))


def test_units_that_do_not_vary_are_counted_and_not_found():
    one, two = built(0), built(0)
    with torch.no_grad():
        two.layers["level_2"].linear.bias[3] = 1e4  # tanh is 1 there, whatever the row
    row = compare_insides(one, two, torch.randn(50, 30)).set_index("layer").loc["level_2"]
    assert row["constant"] == 1
    assert row["identified"] == 7 / 8
    assert row["activations"] == pytest.approx(1.0)
