"""The dense network: published sizes, order of layers, fresh activations, refusals."""

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import DenseNetwork
from axonlight.models.layers.dropout import UnitDropout
from torch import nn


@pytest.mark.parametrize(
    ("features", "hidden", "parameters"),
    [
        (54, [64, 32], 5_825),
        (54, [200, 100], 31_801),
        (28, [64, 32], 4_161),
        (28, [200, 100], 26_601),
        (57, [64, 32], 6_017),
        (57, [200, 100], 32_401),
    ],
)
def test_published_parameter_counts(features, hidden, parameters):
    network = DenseNetwork(features, 1, hidden=hidden)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_norm_stands_before_the_activation_and_dropout_after():
    kinds = [type(layer) for layer in DenseNetwork(3, 2, hidden=[4], activation="tanh", dropout=0.5).layers]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.Tanh, UnitDropout, nn.Linear]


def test_equals_the_same_layers_written_by_hand():
    network = DenseNetwork(3, 2, hidden=[4], activation="silu", norm="none")
    first, _, last = network.layers
    x = torch.randn(5, 3)
    by_hand = torch.nn.functional.silu(x @ first.weight.T + first.bias) @ last.weight.T + last.bias
    torch.testing.assert_close(network(x), by_hand)


@pytest.mark.parametrize(("per", "values"), [("layer", [1, 1]), ("unit", [5, 4])])
def test_activation_parameters_per_layer_or_unit(per, values):
    network = DenseNetwork(3, 1, hidden=[5, 4], activation="ash(z=0.5)", activation_parameters=per)
    assert [layer.z.numel() for layer in network.layers if hasattr(layer, "z")] == values


def test_no_hidden_layer_is_a_linear_model():
    assert [type(layer) for layer in DenseNetwork(3, 1, hidden=[]).layers] == [nn.Linear]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"in_features": 0}, "in_features is 0"),
        ({"out_features": -1}, "out_features is -1"),
        ({"hidden": [3, 0]}, "hidden is [3, 0]"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"activation": ["relu"]}, "1 specs for 2 hidden layers"),
    ],
)
def test_refusals_name_key_and_value(arguments, words):
    with pytest.raises(InputError) as caught:
        DenseNetwork(**{"in_features": 3, "out_features": 1, **arguments})
    assert words in str(caught.value)
