"""Replicas learn what each of them learns alone."""

from functools import partial

import pytest
import torch
from axonlight.models import DenseNetwork, HeadOutputs, PathwayNetwork
from axonlight.models.replicas import Replicas
from axonlight.randomness import derive_seed
from torch import Tensor, nn

from .conftest import SIZES, random_hierarchy

SEEDS = [0, 1, 0, 2, 0]
OPTIMIZERS = {
    "adam": partial(torch.optim.Adam, lr=3e-3, weight_decay=1e-3),
    "sgd": partial(torch.optim.SGD, lr=0.05, momentum=0.9),
}


def losses_of(outputs: Tensor | HeadOutputs, target: Tensor) -> Tensor:
    """Losses over the last two dimensions, whatever stands before them."""
    if isinstance(outputs, HeadOutputs):
        weights = outputs.loss_weights.to(outputs.outputs.dtype)
        return torch.tensordot(weights, losses_of(outputs.outputs, target), dims=1)
    logits = outputs.squeeze(-1)
    values = nn.functional.binary_cross_entropy_with_logits(logits, target.expand(logits.shape), reduction="none")
    return values.mean(-1)


def train(replicas: Replicas, networks: list[nn.Module], optimizer, steps: int, dtype=torch.float64, fast=True):
    """Train both on the same batches; return the losses of the last step, alone and together."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(96, SIZES[0], generator=generator, dtype=dtype)
    target = (x[:, :3].sum(1) > 0).to(dtype)
    together, alone = optimizer(replicas.parameters()), [optimizer(network.parameters()) for network in networks]
    curves = []
    for step in range(steps):
        rows = torch.randperm(96, generator=generator)[:32]
        seeds = [derive_seed(seed, "step", step) for seed in SEEDS[: len(networks)]]
        together.zero_grad()
        replicas.seed_step(seeds)
        if fast:
            losses = replicas.backward(x[rows], lambda outputs, places, rows=rows: losses_of(outputs, target[rows]))
        else:
            losses = losses_of(replicas(x[rows]), target[rows])
            losses.sum().backward()
        together.step()
        single = []
        for network, own, seed in zip(networks, alone, seeds, strict=True):
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                own.zero_grad()
                loss = losses_of(network(x[rows]), target[rows])
            loss.backward()
            own.step()
            single.append(loss.detach())
        curves.append((torch.stack(single), losses.detach()))
    return curves


def build(network, hierarchies, dtype=torch.float64, **options):
    """Replicas, and the same networks one by one."""
    factory = partial(network, **options)
    replicas = Replicas(
        factory, SIZES[0], 1, hierarchies=hierarchies, seeds=SEEDS[: len(hierarchies)], block_size=2
    ).to(dtype)
    networks = []
    for seed, hierarchy in zip(SEEDS, hierarchies, strict=False):
        torch.manual_seed(seed)
        extra = {"hierarchy": hierarchy} if network is PathwayNetwork else {}
        networks.append(factory(SIZES[0], 1, **extra).to(dtype))
    return replicas, networks


def largest_difference(replicas: Replicas, networks: list[nn.Module]) -> float:
    """Over all parameters and buffers of all replicas."""
    worst = 0.0
    for place, network in enumerate(networks):
        ours, theirs = replicas.network(place).state_dict(), network.state_dict()
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            if not isinstance(value, Tensor):  # a formula's text
                continue
            worst = max(worst, (ours[name].double() - value.double()).abs().max().item())
    return worst


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("options", [{"design": "binn"}, {"design": "pnet"}], ids=["binn", "pnet"])
def test_two_hundred_steps_in_double_precision(hierarchies, options, optimizer):
    replicas, networks = build(PathwayNetwork, hierarchies[:3], **options)
    curves = train(replicas, networks, OPTIMIZERS[optimizer], 200)
    assert largest_difference(replicas, networks) < 1e-10
    first, last = curves[0][0].mean(), curves[-1][0].mean()
    assert last < 0.9 * first, "they have learned something"
    assert torch.allclose(*curves[-1], rtol=0, atol=1e-10)


def test_two_hundred_steps_of_sgd_in_single_precision(hierarchies):
    replicas, networks = build(PathwayNetwork, hierarchies[:3], torch.float32)
    train(replicas, networks, partial(torch.optim.SGD, lr=0.01), 200, torch.float32)
    assert largest_difference(replicas, networks) < 1e-6


def test_loss_curves_of_adam_in_single_precision(hierarchies):
    replicas, networks = build(PathwayNetwork, hierarchies[:3], torch.float32)
    curves = train(replicas, networks, OPTIMIZERS["adam"], 200, torch.float32)
    alone, together = (torch.stack(side) for side in zip(*curves, strict=True))
    assert (alone - together).abs().max() < 1e-3


VARIANTS = {
    "visible": {"design": "visible", "dropout": 0.3},
    "kpnn": {"design": "kpnn", "dropout": 0.1},
    "relu without norm": {"activation": "relu", "norm": "none", "dropout": 0.2},
    "tanh without anything": {"norm": "none", "dropout": 0.0},
    "layer norm": {"norm": "layer", "activation": "gelu"},
    "learned heads": {"design": "pnet", "heads": "learned"},
    "one value per node": {"activation": "swish", "activation_parameters": "node"},
    "ash": {"activation": "ash(z=0.5)", "activation_parameters": "unit"},
    "formula": {"activation": "formula(x*cos(a*x), a=1.0)"},
    "rational": {"activation": "RationalActivation"},
    "covariates": {"covariates": ["0.3", "0.7"], "covariate_hidden": [4], "heads": "equal"},
}


@pytest.mark.parametrize("fast", [True, False], ids=["blocks", "forward"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_part_of_a_pathway_network(hierarchies, name, fast):
    replicas, networks = build(PathwayNetwork, hierarchies[:3], **VARIANTS[name])
    train(replicas, networks, OPTIMIZERS["adam"], 6, fast=fast)
    assert largest_difference(replicas, networks) < 1e-10


@pytest.mark.parametrize("fast", [True, False], ids=["blocks", "forward"])
def test_skip_edges(fast):
    replicas, networks = build(PathwayNetwork, [random_hierarchy(seed, skip=True) for seed in range(3)])
    train(replicas, networks, OPTIMIZERS["adam"], 10, fast=fast)
    assert largest_difference(replicas, networks) < 1e-10


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_dense_networks(hierarchies, norm):
    replicas, networks = build(DenseNetwork, hierarchies, hidden=[7, 5], norm=norm, dropout=0.25)
    train(replicas, networks, partial(torch.optim.Adam, lr=3e-3), 30)
    assert largest_difference(replicas, networks) < 1e-9


def test_evaluation_is_that_of_each_network(hierarchies):
    replicas, networks = build(PathwayNetwork, hierarchies, design="pnet", norm="batch")
    train(replicas, networks, OPTIMIZERS["adam"], 5)
    x = torch.randn(7, SIZES[0], dtype=torch.float64)
    outputs = replicas.eval()(x)
    assert outputs.outputs.shape == (4, 5, 7, 1)
    for place, network in enumerate(networks):
        assert torch.allclose(outputs.combined()[place], network.eval()(x).combined(), atol=1e-12)


def test_activations_with_other_values(hierarchies):
    specs = [f"swish(beta={beta})" for beta in (0.5, 1.0, 2.0)]
    replicas = Replicas(PathwayNetwork, 12, 1, hierarchies=hierarchies[:1], seeds=[0], activations=specs).double()
    x = torch.randn(6, 12, dtype=torch.float64)
    outputs = replicas.eval()(x)
    for place, spec in enumerate(specs):
        torch.manual_seed(0)
        network = PathwayNetwork(12, 1, hierarchies[0], activation=spec).double().eval()
        assert torch.allclose(outputs[place], network(x), atol=1e-12)
    assert not torch.allclose(outputs[0], outputs[2])
