"""Dense controls: real parameters counted, the nearest width found, nothing else touched."""

import itertools
import math

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import DenseNetwork, PathwayNetwork, dense_control
from axonlight.structures import Hierarchy


def draw_hierarchy(sizes=(60, 20, 8, 3), seed=0):
    generator = np.random.default_rng(seed)
    blocks = []
    for layer, (low, high) in enumerate(itertools.pairwise(sizes)):
        parents = generator.integers(0, high, low)
        blocks.append((layer, layer + 1, np.stack([np.arange(low), parents])))
    nodes = [[f"{layer}.{place}" for place in range(size)] for layer, size in enumerate(sizes)]
    return Hierarchy([f"layer {layer}" for layer in range(len(sizes))], nodes, blocks)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize(
    "options",
    [
        {"design": "binn"},
        {"design": "pnet"},
        {"design": "binn", "norm": "layer", "units": 3},
        {"design": "binn", "activation": "ash", "activation_parameters": "node"},
    ],
    ids=str,
)
@pytest.mark.parametrize("control", [{}, {"depth": 1}, {"activation": "ash", "activation_parameters": "unit"}], ids=str)
def test_no_width_has_more_nearly_as_many_parameters(outputs, options, control):
    network = PathwayNetwork(60, outputs, draw_hierarchy(), **options)
    arguments = dense_control(network, "parameters", **control)
    width = arguments["hidden"][0]
    assert arguments["hidden"] == [width] * control.get("depth", 2)
    assert arguments["out_features"] == outputs

    def distance(width):
        return abs(count(DenseNetwork(**{**arguments, "hidden": [width] * len(arguments["hidden"])})) - count(network))

    assert distance(width) <= min(distance(other) for other in range(1, 3 * width + 5))


def test_the_closed_form_of_two_layers_with_batch_norm():
    network = PathwayNetwork(60, 1, draw_hierarchy(), design="binn", units=4)
    arguments = dense_control(network)
    assert (arguments["norm"], arguments["dropout"]) == ("batch", 0.2)
    # F w + w + 2 w, w w + w + 2 w, w + 1: the root of w^2 + (F + 7) w + 1 = wanted
    root = (math.sqrt((60 + 7) ** 2 + 4 * (count(network) - 1)) - (60 + 7)) / 2
    assert abs(arguments["hidden"][0] - root) <= 0.51


def test_nodes_are_the_widths_of_the_layers_densely_joined():
    network = PathwayNetwork(60, 1, draw_hierarchy(), design="binn", units=2)
    arguments = dense_control(network, "nodes", activation=["tanh", "relu", "tanh"])
    assert arguments["hidden"] == [40, 16, 6]
    dense = DenseNetwork(**arguments)
    missing = (60 * 40 - 60 * 2) + (40 * 16 - 20 * 4) + (16 * 6 - 8 * 4)  # the weights that the hierarchy rules out
    assert count(dense) == count(network) + missing
    assert [layer.p for layer in dense.layers if isinstance(layer, torch.nn.Dropout)] == [0.2] * 3


def test_a_feature_layer_is_a_layer():
    network = PathwayNetwork(60, 1, draw_hierarchy(), design="pnet")
    arguments = dense_control(network, "nodes")
    assert arguments["hidden"] == [60, 20, 8, 3]
    assert arguments["norm"] == "none"


def test_random_numbers_go_on_as_if_nothing_was_counted():
    network = PathwayNetwork(60, 1, draw_hierarchy())
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    dense_control(network, activation="ash")
    torch.testing.assert_close(torch.rand(2), expected, rtol=0, atol=0)


def test_the_real_hierarchy_has_a_control_within_half_a_step_of_the_width(data_root):
    folder = data_root / "proteomics"
    hierarchy = Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", levels=4)
    network = PathwayNetwork(len(hierarchy.features), 1, hierarchy, design="binn")
    dense = DenseNetwork(**dense_control(network, activation="tanh"))
    half_a_step = (len(hierarchy.features) + 2 * dense.layers[0].out_features + 8) / 2
    assert abs(count(dense) - count(network)) <= half_a_step


def test_refused():
    network = PathwayNetwork(60, 1, draw_hierarchy())
    with pytest.raises(InputError, match="dense is 'weights'; it must be 'parameters'"):
        dense_control(network, "weights")
    with pytest.raises(InputError, match="depth is 0"):
        dense_control(network, depth=0)
    with pytest.raises(InputError, match="network is a DenseNetwork"):
        dense_control(DenseNetwork(3, 1))
