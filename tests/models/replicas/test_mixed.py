"""Networks whose activations are different functions learn side by side what each learns alone."""

import copy
import itertools
import pickle
from functools import partial

import pytest
import torch
from axonlight.models import ClassificationTask, DenseNetwork, PathwayNetwork
from axonlight.models.replicas import Replicas
from axonlight.models.replicas.mixed import MixedActivation
from torch import nn

from .conftest import SIZES
from .test_replicas_equal import OPTIMIZERS, largest_difference, train

NORMALIZED = {"formula": "x*cos(a*x)", "constants": {"a": 0.7}, "trainable": False, "normalize": True}
SPECS = {
    "formulas": ["formula(x*cos(x))", "formula(sin(x) - abs(x))", "formula(cos(x)-cos(cos(x)))"],
    "normalized": [NORMALIZED, {"formula": "x*x - x", "normalize": True}, {"formula": "abs(x)", "normalize": True}],
    "constants": ["formula(x*cos(a*x), a=0.5)", "formula(max(x, b*x) + c*sin(x), b=0.1, c=0.3)", "formula(x*erf(x))"],
    "kinds": ["relu", "ash(z=0.5)", "swish(beta=1.5)", "tanh", "ash(z=0.1, mode='leaky')"],
    "settings": ["leaky_relu(0.1)", "leaky_relu(0.2)", "leaky_relu(0.2)", "relu(inplace=True)", "ash(trainable=False)"],
    "whole samples": ["softmax(dim=1)", "ash(threshold='quantile')", "RationalActivation", "prelu", "ash"],
}


def build(kind, specs, hierarchies=None, dtype=torch.float64, block_size=2, **options):
    """Networks with an activation each, and the same networks as replicas."""
    networks = []
    for place, spec in enumerate(specs):
        torch.manual_seed(place % 2)
        extra = {"hierarchy": hierarchies[place]} if kind is PathwayNetwork else {}
        networks.append(kind(SIZES[0], 1, activation=spec, **extra, **options).to(dtype))
    return Replicas(networks, block_size=block_size), networks


@pytest.mark.parametrize("fast", [True, False], ids=["blocks", "forward"])
@pytest.mark.parametrize("kind", [DenseNetwork, PathwayNetwork])
@pytest.mark.parametrize("name", SPECS)
def test_each_learns_what_it_learns_alone(hierarchies, name, kind, fast):
    replicas, networks = build(kind, SPECS[name], hierarchies, dropout=0.25)
    assert any(isinstance(module, MixedActivation) for module in replicas.modules())
    train(replicas, networks, OPTIMIZERS["adam"], 12, fast=fast)
    assert largest_difference(replicas, networks) < 1e-10
    x = torch.randn(7, SIZES[0], dtype=torch.float64)
    outputs = replicas.eval()(x)
    for place, network in enumerate(networks):
        assert torch.allclose(outputs[place], network.eval()(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("kind", [DenseNetwork, PathwayNetwork])
def test_without_batch_norm(hierarchies, kind, norm):
    specs = ["formula(x*cos(x))", NORMALIZED, "swish", "ash", "formula(sin(a*x), a=1.5)"]
    options = {"dropout": 0.0, "norm": norm, "activation_parameters": "unit"}
    replicas, networks = build(kind, specs, hierarchies, **options)
    train(replicas, networks, OPTIMIZERS["sgd"], 6)
    assert largest_difference(replicas, networks) < 1e-10


def test_two_hundred_steps(hierarchies):
    replicas, networks = build(DenseNetwork, [*SPECS["formulas"], NORMALIZED, "gelu"], dropout=0.2, hidden=[8, 4])
    curves = train(replicas, networks, OPTIMIZERS["adam"], 200)
    assert largest_difference(replicas, networks) < 1e-10
    assert curves[-1][0].mean() < 0.9 * curves[0][0].mean(), "they have learned something"


def test_single_precision(hierarchies):
    specs = [*SPECS["formulas"], "gelu", "ash"]
    replicas, networks = build(DenseNetwork, specs, dtype=torch.float32, dropout=0.2, hidden=[8, 4])
    train(replicas, networks, partial(torch.optim.SGD, lr=0.01), 200, torch.float32)
    assert largest_difference(replicas, networks) < 1e-5


def test_equal_neighbours_share_a_call():
    mixed = MixedActivation([nn.ReLU(), nn.ReLU(), nn.LeakyReLU(0.1), nn.LeakyReLU(0.2), nn.ReLU()])
    assert [(run.first, run.last) for run in mixed.runs] == [(0, 2), (2, 3), (3, 4), (4, 5)]


def test_values_belong_to_their_replica():
    specs = ["formula(sin(a*x), a=0.5)", "relu", "swish(beta=2)", NORMALIZED]
    replicas, networks = build(DenseNetwork, specs, activation_parameters="unit", hidden=[3], norm="none")
    mixed = replicas.stacked.layers[1]
    assert mixed.trained.shape == (6,)
    assert replicas.state(2)["layers.1.beta"].tolist() == [2.0] * 3
    state = {name: value + 1 for name, value in replicas.state(3).items()}
    replicas.load(3, state)
    assert torch.equal(replicas.network(3).layers[1].output_scale, networks[3].layers[1].output_scale + 1)
    assert replicas.network(0).layers[1].a.tolist() == [0.5] * 3
    for copied in (copy.deepcopy(replicas), pickle.loads(pickle.dumps(replicas))):
        x = torch.randn(4, SIZES[0], dtype=torch.float64)
        assert torch.equal(copied(x), replicas(x))


def test_a_sibling_has_the_activation_that_it_is_given(tmp_path):
    torch.manual_seed(3)
    task = ClassificationTask(partial(DenseNetwork, hidden=[4]), 5)
    torch.manual_seed(3)
    sibling = task.sibling(activation="formula(x*cos(x))")
    torch.manual_seed(3)
    alone = ClassificationTask(partial(DenseNetwork, hidden=[4], activation="formula(x*cos(x))"), 5)
    state, expected = sibling.network.state_dict(), alone.network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], value) for name, value in expected.items() if isinstance(value, torch.Tensor))
    assert sibling.hparams == alone.hparams
    assert task.hparams["network"]["init_args"] == {"hidden": [4]}
    assert isinstance(task.network.layers[2], nn.ReLU)
    nephew = sibling.sibling()
    assert nephew.network.layers[2].text == "x*cos(x)"
    live = task.sibling(activation=lambda: nn.ReLU())
    assert "network" not in live.hparams


def gradients(threads, seeds, rows=96):
    """Losses and gradients of one step with so many threads, from the same start."""
    replicas, _ = build(DenseNetwork, SPECS["formulas"] + SPECS["kinds"], dtype=torch.float32, dropout=0.3)
    x = torch.randn(rows, SIZES[0], generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        replicas.seed_step(seeds)
        losses = replicas.backward(x, lambda outputs, places: outputs.square().mean((-1, -2)))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    return [losses, *(parameter.grad for parameter in replicas.parameters())]


@pytest.mark.parametrize("seeds", [[7] * 8, [7, 7, 1, 2, 3, 4, 5, 7]], ids=["shared", "own"])
def test_threads_change_nothing(seeds):
    one, several = gradients(1, seeds), gradients(3, seeds)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(one, several, strict=True))


def test_blocks_suit_the_largest_batch_and_keep_what_was_learned():
    specs = [f"formula(sin({scale}*x))" for scale in range(1, 7)]
    networks = [DenseNetwork(SIZES[0], 1, hidden=[512], activation=spec) for spec in specs]
    replicas = Replicas(networks)
    optimizer = torch.optim.SGD(replicas.parameters(), lr=0.1)

    def step(rows):
        optimizer.zero_grad()
        replicas.seed_step([0] * 6)
        replicas.backward(torch.ones(rows, SIZES[0]), lambda outputs, places: outputs.square().mean((-1, -2)))
        optimizer.step()
        return replicas.state(5)

    states = [step(8)]
    few = len(replicas._blocks)
    states.append(step(4096))
    assert few < len(replicas._blocks)
    blocks = replicas._blocks
    states.append(step(8))
    assert replicas._blocks is blocks
    for before, after in itertools.pairwise(states):
        assert not torch.equal(before["layers.3.weight"], after["layers.3.weight"])


def test_an_error_in_a_thread_is_the_callers():
    replicas, _ = build(DenseNetwork, SPECS["kinds"], dtype=torch.float32)
    replicas.seed_step([0] * 5)

    def broken(outputs, places):
        raise ValueError(f"replicas from {places.start}")

    with pytest.raises(ValueError, match="replicas from 0"):
        replicas.backward(torch.randn(8, SIZES[0]), broken)
