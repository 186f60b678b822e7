"""What `attribute` leaves as it was, refuses, warns of and reports."""

import copy

import numpy as np
import pytest
import torch
from axonlight.activations import Activation, activation_parameters
from axonlight.activations.specs.registry import activation_names, find_activation
from axonlight.attribution import attribute
from axonlight.errors import InputError
from axonlight.models import DenseNetwork, PathwayNetwork, combined
from axonlight.structures import Hierarchy
from torch import nn

METHODS = ["integrated_gradients", "conductance", "deep_lift"]
EDGES = [("cell", "repair"), ("cell", "death"), ("repair", "a"), ("repair", "b"), ("death", "b"), ("death", "c")]


def network_of(**options):
    return PathwayNetwork(3, 1, Hierarchy.from_edges(EDGES), **options)


def fingerprint(network):
    """All that a forward or backward pass, a hook or a mode could have changed."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return (
        {name: value.clone() for name, value in network.state_dict().items() if isinstance(value, torch.Tensor)},
        {name: (id(p), p.requires_grad, None if p.grad is None else p.grad.clone(), p.dtype)
         for name, p in network.named_parameters()},
        [(name, module.training, sorted(vars(module)), [len(getattr(module, hook)) for hook in hooks])
         for name, module in network.named_modules()],
    )  # fmt: skip


def assert_same(a, b):
    assert a[0].keys() == b[0].keys()
    assert all(torch.equal(a[0][name], b[0][name]) for name in a[0])
    for name, (identity, requires_grad, grad, dtype) in a[1].items():
        other = b[1][name]
        assert (identity, requires_grad, dtype) == (other[0], other[1], other[3])
        assert (grad is None) == (other[2] is None)
        assert grad is None or torch.equal(grad, other[2])
    assert a[2] == b[2]


class Broken(nn.Module):
    def forward(self, x):
        if x.requires_grad:
            raise RuntimeError("broken on purpose")
        return torch.tanh(x)


@pytest.mark.parametrize("method", METHODS)
def test_two_runs_are_bit_equal_and_leave_no_trace(method):
    network = network_of(activation="swish", dropout=0.5)
    network(torch.randn(8, 3)).sum().backward()
    network.layers["level_1"].eval()
    next(network.parameters()).requires_grad_(False)
    network.layers["level_2"].register_forward_hook(lambda *_: None)
    x, random_state = torch.randn(6, 3), torch.get_rng_state()
    before = fingerprint(network)
    first, second = (attribute(network, x, method=method) for _ in range(2))
    assert_same(before, fingerprint(network))
    assert torch.equal(random_state, torch.get_rng_state())
    for layer in first.scores:
        assert np.array_equal(first.scores[layer], second.scores[layer])
        assert np.array_equal(first.convergence_delta[layer], second.convergence_delta[layer])


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_leaves_no_trace(method):
    network = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Sequential(nn.Linear(3, 3), Broken()), nn.Linear(3, 1))
    before = fingerprint(network)
    with pytest.raises((RuntimeError, InputError)):
        attribute(network, torch.randn(4, 3), method=method)
    assert_same(before, fingerprint(network))
    assert network.training


@pytest.mark.parametrize("method", METHODS)
def test_parts_of_rows_and_steps_give_the_same(method):
    network, x = network_of(activation="tanh"), torch.randn(11, 3)
    whole = attribute(network, x, method=method, steps=30)
    for size in (8, 70):  # fewer than the steps of one row; two rows at once
        parts = attribute(network, x, method=method, steps=30, batch_size=size)
        for layer in whole.scores:
            assert np.allclose(parts.scores[layer], whole.scores[layer], rtol=1e-9, atol=1e-11)


def test_a_compiled_network_and_no_grad_mode_make_no_difference():
    network, x = network_of(activation="tanh").eval(), torch.randn(5, 3)
    expected = attribute(network, x, method="deep_lift").scores["level_2"]
    network.compile(backend="eager")
    with torch.inference_mode():
        found = attribute(network, x.clone(), method="deep_lift").scores["level_2"]
    assert np.array_equal(found, expected)
    assert network._compiled_call_impl is not None


SPECS = {
    "Formula": "formula(x*cos(a*x))",
    **{name: f"{name}(dim=-1)" for name in ("Softmax", "Softmin", "LogSoftmax")},
}


def names():
    """What a spec can name: not what other tests define, and not what takes or gives another shape."""
    ours = [
        name for name in activation_names() if find_activation(name).__module__.split(".")[0] in ("torch", "axonlight")
    ]
    return [name for name in ours if name not in ("GLU", "Threshold", "Softmax2d")]


@pytest.mark.parametrize("name", names())
def test_every_activation_is_scaled_or_refused(name):
    spec = SPECS.get(name, name)
    torch.manual_seed(3)
    network = DenseNetwork(4, 1, hidden=[6, 6], activation=["tanh", spec], norm="none")
    mixing = {"ASH", "Dice", "LayerAct", "MetaAcon", "Softmax", "Softmin", "LogSoftmax"}
    x = torch.randn(9, 4)
    if name in mixing:
        with pytest.raises(InputError, match=rf"layers\.3 \({name}\)|dim"):
            attribute(network, x, method="deep_lift")
    else:
        found = attribute(network, x, method="deep_lift")
        assert max(np.abs(delta).max() for delta in found.convergence_delta.values()) < 1e-9


class Centred(Activation):
    def forward(self, x):
        return torch.tanh(x - 0.01 * x.mean(dim=0))


class Learned(Activation):
    def forward(self, x):
        return x * torch.sigmoid(2 * x)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.LayerNorm(3), r"1 \(LayerNorm\)"),
        (Centred(), r"1 \(Centred\), which mixes"),
        (nn.BatchNorm1d(3, track_running_stats=False), r"1 \(BatchNorm1d\) without running statistics"),
        (Broken(), r"1 \(Broken\), which is neither linear"),
        (nn.Sequential(nn.Tanh(), nn.RMSNorm(3)), r"1\.1 \(RMSNorm\)"),
    ],
)
def test_deep_lift_refuses_what_it_has_no_rule_for(module, words):
    network = nn.Sequential(nn.Linear(3, 3), module, nn.Linear(3, 1))
    with pytest.raises(InputError, match=words):
        attribute(network, torch.randn(4, 3), method="deep_lift")


def test_deep_lift_takes_elementwise_activations_of_the_user():
    network = nn.Sequential(nn.Linear(3, 3), Learned(), nn.Linear(3, 1))
    found = attribute(network, torch.randn(4, 3), method="deep_lift")
    assert np.abs(found.convergence_delta["features"]).max() < 1e-12


def test_an_activation_used_twice_is_refused():
    shared = nn.Tanh()
    network = nn.Sequential(nn.Linear(3, 3), shared, nn.Linear(3, 3), shared, nn.Linear(3, 1))
    with pytest.raises(InputError, match="called 2 times"):
        attribute(network, torch.randn(4, 3), method="deep_lift", layers=["features"])
    with pytest.raises(InputError, match=r"layer 1 is called 2 times"):
        attribute(network, torch.randn(4, 3))


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 1)

    def forward(self, x):
        return self.last(self.first(x) ** 2)


def test_a_non_linearity_outside_of_modules_is_warned_of():
    with pytest.warns(UserWarning, match="non-linear outside of its activation modules"):
        attribute(Functional(), torch.randn(6, 4), method="deep_lift")


def test_too_few_steps_are_warned_of():
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    nn.init.constant_(network[0].weight, 30.0)
    nn.init.constant_(network[0].bias, -20.0)
    with pytest.warns(UserWarning, match="take more steps"):
        attribute(network, torch.ones(3, 2), steps=2, layers=["features"])


@pytest.mark.parametrize("heads", ["equal", "exponential", "learned"])
def test_heads_are_combined_and_their_layers_do_not_cut(heads):
    network, x = network_of(heads=heads, activation="tanh"), torch.randn(6, 3)
    network.eval()
    with torch.no_grad():
        difference = (combined(network(x)) - combined(network(torch.zeros_like(x)))).numpy()[:, 0]
    for method in METHODS:
        found = attribute(network, x, method=method)
        assert np.allclose(found.difference, difference, atol=1e-5)
        assert found.cuts == {"features": True, "level_2": True, "level_1": False}  # both heads stand above level_2
        assert found.relative_delta["features"] < 1e-3


def test_columns_are_summed_per_entity():
    names = ["a=mutation", "a=deletion", "b=mutation", "c=mutation", "other"]
    network = PathwayNetwork(5, 1, Hierarchy.from_edges(EDGES), feature_names=names, activation="tanh")
    found = attribute(network, torch.randn(6, 5), method="deep_lift")
    columns = found.column_scores
    assert found.nodes["features"] == ("a", "b", "c")
    assert np.array_equal(columns[:, 4], np.zeros(6))
    assert np.allclose(found.scores["features"][:, 0], columns[:, 0] + columns[:, 1], rtol=0, atol=1e-15)
    assert np.allclose(columns.sum(1), found.difference, atol=1e-10)


def test_covariates_are_outside_of_the_layers():
    names = ["a", "b", "c", "age"]
    network = PathwayNetwork(4, 1, Hierarchy.from_edges(EDGES), feature_names=names, covariates=["age"])
    found = attribute(network, torch.randn(6, 4), method="deep_lift")
    assert found.scores["features"].shape == (6, 3)
    assert np.abs(found.column_scores[:, 3]).min() > 0
    assert np.abs(found.convergence_delta["features"]).max() < 1e-10
    assert found.cuts["features"]
    assert not found.cuts["level_1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "saliency"}, "method is 'saliency'"),
        ({"target": 1}, "target is 1"),
        ({"target": -1}, "target is -1"),
        ({"layers": ["level_3"]}, "nearest are level_2, level_1"),
        ({"baseline": torch.zeros(2)}, r"baseline has shape \(2,\)"),
        ({"baseline": torch.full((3,), torch.nan)}, "baseline holds values that are not finite"),
        ({"steps": 1}, "steps is 1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
        ({"x": torch.zeros(0, 3)}, "x has shape"),
        ({"x": torch.full((1, 3), torch.inf)}, "x holds values that are not finite"),
    ],
)
def test_bad_input(options, words):
    x = options.pop("x", torch.zeros(2, 3)) if "x" in options else torch.zeros(2, 3)
    with pytest.raises(InputError, match=words):
        attribute(network_of(), x, **copy.copy(options))


def test_parameters_of_activations_count_as_state():
    network = network_of(activation="formula(x*cos(a*x), a=2.0)", activation_parameters="node")
    x = torch.randn(6, 3)
    before = attribute(network, x, method="deep_lift").scores["level_1"]
    with torch.no_grad():
        for parameter in activation_parameters(network):
            parameter.mul_(1.5)
    assert not np.allclose(before, attribute(network, x, method="deep_lift").scores["level_1"])
