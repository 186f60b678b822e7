"""Scores against closed forms, an independent rescale rule in NumPy, and captum on networks of torch alone."""

import warnings

import captum.attr
import numpy as np
import pytest
import torch
from axonlight.attribution import attribute
from axonlight.models import DenseNetwork, EdgeLinear, PathwayNetwork
from axonlight.structures import Hierarchy
from torch import nn

METHODS = ["integrated_gradients", "conductance", "deep_lift"]
# Functions of NumPy, written down apart from the activations.
ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "formula(x*cos(a*x), a=1.5)": lambda x: x * np.cos(1.5 * x),
    "swish(beta=1.5)": lambda x: x / (1 + np.exp(-1.5 * x)),
    "snake": lambda x: x + np.sin(x) ** 2,
}


def numbers(tensor):
    return tensor.detach().double().numpy()


def pathway_network(**options):
    edges = [("cell", "repair"), ("cell", "death"), ("repair", "a"), ("repair", "b"), ("death", "b"), ("death", "c")]
    hierarchy = Hierarchy.from_edges(edges)
    network = PathwayNetwork(3, 1, hierarchy, **{"norm": "none", **options})
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    return network


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["dense", "edges", "batch_norm"])
def test_linear_networks_give_weight_times_difference(method, kind):
    torch.manual_seed(1)
    if kind == "edges":
        edges = torch.tensor([[0, 1, 2, 4, 1], [0, 0, 1, 1, 1]])
        network = nn.Sequential(EdgeLinear(edges, 5, 2), nn.Linear(2, 3))
        matrix = numbers(network[1].weight) @ numbers(network[0].dense_weight())
    elif kind == "batch_norm":
        network = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3))
        network(torch.randn(50, 5) * 3 + 1)
        scale = numbers(network[0].weight) / np.sqrt(numbers(network[0].running_var) + network[0].eps)
        matrix = numbers(network[1].weight) * scale
    else:
        network = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))
        matrix = numbers(network[1].weight) @ numbers(network[0].weight)
    x, baseline = torch.randn(7, 5), torch.randn(5)
    found = attribute(network, x, method=method, target=2, baseline=baseline)
    expected = matrix[2] * (numbers(x) - numbers(baseline))
    # captum rounds the weights of its integration points to float32
    assert np.allclose(found.scores["features"], expected, rtol=2e-8 if method == METHODS[0] else 1e-12, atol=1e-14)
    assert np.allclose(found.difference, expected.sum(1), rtol=1e-12)


def rescale_by_hand(weights, biases, function, x, baseline):
    """Multipliers of every layer of a perceptron, from the output down, for one row and one baseline."""
    values, slopes = [(x, baseline)], []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        before = [weight @ value + bias for value in values[-1]]
        after = [function(value) for value in before]
        slopes.append((after[0] - after[1]) / (before[0] - before[1]))
        values.append(tuple(after))
    multiplier, scores = weights[-1][0], []
    for level in reversed(range(len(values))):
        scores.append(multiplier * (values[level][0] - values[level][1]))
        if level:
            multiplier = (multiplier * slopes[level - 1]) @ weights[level - 1]
    return scores[::-1]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_deep_lift_follows_the_rescale_rule(activation):
    torch.manual_seed(2)
    network = DenseNetwork(6, 1, hidden=[5, 4], activation=activation, norm="none").double()
    linear = [module for module in network.layers if isinstance(module, nn.Linear)]
    weights, biases = [numbers(m.weight) for m in linear], [numbers(m.bias) for m in linear]
    x, baseline = torch.randn(9, 6), torch.randn(9, 6)
    found = attribute(network, x, method="deep_lift", baseline=baseline)
    for row in range(9):
        expected = rescale_by_hand(
            weights, biases, ACTIVATIONS[activation], x[row].double().numpy(), baseline[row].double().numpy()
        )
        for layer, scores in zip(["features", "layers.1", "layers.3"], expected, strict=True):
            assert np.allclose(found.scores[layer][row], scores, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_deep_lift_is_complete_in_float32_too(activation):
    network = DenseNetwork(20, 1, hidden=[16, 8], activation=activation)
    network(torch.randn(64, 20))
    for dtype, limit in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        found = attribute(network, torch.randn(30, 20), method="deep_lift", dtype=dtype)
        assert max(np.abs(delta).max() for delta in found.convergence_delta.values()) < limit


def test_deep_lift_where_nothing_differs_takes_the_derivative():
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    x = torch.randn(3, 2)
    found = attribute(network, x, method="deep_lift", baseline=x)
    assert all(np.array_equal(scores, np.zeros_like(scores)) for scores in found.scores.values())


class Residual(nn.Module):
    """The input of the activation has a second use, whose gradient must stay."""

    def __init__(self):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(4, 3), nn.ReLU(inplace=False), nn.Linear(3, 1)

    def forward(self, x):
        hidden = self.first(x)
        return self.last(hidden + self.act(hidden))


def test_deep_lift_keeps_the_gradient_beside_an_activation():
    network = Residual()
    found = attribute(network, torch.randn(8, 4), method="deep_lift", layers=["features"])
    assert np.abs(found.convergence_delta["features"]).max() < 1e-12


def test_deep_lift_of_activations_that_work_in_place():
    plain = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    in_place = nn.Sequential(plain[0], nn.ReLU(inplace=True), plain[2])
    x = torch.randn(8, 4)
    a, b = (attribute(network, x, method="deep_lift").scores for network in (plain, in_place))
    assert all(np.array_equal(a[layer], b[layer]) for layer in a)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softplus", "elu"])
def test_equal_to_captum_on_networks_of_torch_alone(activation):
    network = DenseNetwork(6, 2, hidden=[5, 4], activation=activation, norm="none").double().eval()
    x, baseline, site = torch.randn(9, 6).double(), torch.randn(1, 6).double(), network.layers[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum announces its hooks
        lift = captum.attr.DeepLift(network).attribute(x, baseline, target=1)
        layer_lift = captum.attr.LayerDeepLift(network, site).attribute(x, baseline, target=1)
    found = attribute(network, x, method="deep_lift", target=1, baseline=baseline).scores
    assert np.allclose(found["features"], numbers(lift), atol=1e-7)
    assert np.allclose(found["layers.1"], numbers(layer_lift), atol=1e-7)
    gradients = captum.attr.IntegratedGradients(network).attribute(x, baseline, target=1, n_steps=64)
    layer = captum.attr.LayerIntegratedGradients(network, site).attribute(x, baseline, target=1, n_steps=64)
    found = attribute(network, x, target=1, baseline=baseline, steps=64).scores
    assert np.allclose(found["features"], numbers(gradients), atol=1e-12)
    assert np.allclose(found["layers.1"], numbers(layer), atol=1e-12)
    few = x[:2]
    fine = captum.attr.LayerConductance(network, site).attribute(few, baseline, target=1, n_steps=400)
    found = attribute(network, few, method="conductance", target=1, baseline=baseline, steps=100).scores
    assert np.allclose(found["layers.1"], numbers(fine), atol=5e-3)


@pytest.mark.parametrize("method", METHODS)
def test_layers_that_cut_the_network_sum_to_the_difference(method):
    network, x = pathway_network(activation="formula(x*cos(a*x), a=0.7)", units=2), torch.randn(6, 3)
    baseline = torch.full((3,), 0.3)
    network.eval()
    difference = numbers(network(x) - network(baseline.expand(6, 3)))[:, 0]
    found = attribute(network, x, method=method, baseline=baseline, steps=300)
    assert list(found.scores) == ["features", "level_2", "level_1"]
    assert [scores.shape for scores in found.scores.values()] == [(6, 3), (6, 2), (6, 1)]
    limit = {"integrated_gradients": 1e-6, "conductance": 1e-3, "deep_lift": 1e-6}[method]
    for layer, scores in found.scores.items():
        assert found.cuts[layer]
        assert np.allclose(scores.sum(1), difference, rtol=5 * limit, atol=5 * limit)
        assert np.allclose(scores.sum(1) - found.difference, found.convergence_delta[layer], atol=1e-12)


def test_conductance_converges_with_the_square_of_the_steps():
    network, x = pathway_network(activation="tanh"), torch.randn(6, 3)
    coarse, fine = (
        np.abs(attribute(network, x, method="conductance", steps=steps).convergence_delta["level_2"]).sum()
        for steps in (40, 160)
    )
    assert 12 < coarse / fine < 20


def test_integrated_gradients_against_a_sum_by_hand():
    network, x = pathway_network(activation="tanh").double(), torch.randn(4, 3).double()
    total = torch.zeros(4, 3, dtype=torch.float64)
    for step in range(2000):
        at = (x * (step + 0.5) / 2000).requires_grad_()
        total += torch.autograd.grad(network.eval()(at).sum(), at)[0] / 2000
    found = attribute(network, x, layers=["features"])
    assert np.allclose(found.scores["features"], numbers(total * x), atol=1e-6)
