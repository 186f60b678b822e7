"""ASH of many networks is the ASH of each, and takes the path that is written out wherever it can."""

import pytest
import torch
from axonlight.activations import ASH
from axonlight.models import PathwayNetwork
from axonlight.models.replicas.activations import StackedActivation
from axonlight.models.replicas.ash import AshGate, StackedAsh, gate_gradient, gated
from axonlight.models.replicas.replicas import Replicas

from .test_replicas_equal import OPTIMIZERS, build, largest_difference, train

FAST = {
    "shared": "ash(z=0.3, alpha=2.0)",
    "last": "ash(dims='last')",
    "hard": "ash(mode='hard')",
    "leaky": "ash(mode='leaky', negative_slope=0.2)",
    "fixed": "ash(trainable=False)",
    "z alone": "ash(trainable='z')",
    "alpha alone": "ash(trainable='alpha', z=1.0)",
    "other eps": "ash(eps=0.1)",
    "units in front": "ash(channel_dim=1)",
}


def kinds(replicas: Replicas) -> set[type]:
    return {type(module) for module in replicas.modules() if isinstance(module, StackedActivation)}


@pytest.mark.parametrize("per", ["layer", "node", "unit"])
@pytest.mark.parametrize("name", FAST)
def test_every_option_learns_what_it_learns_alone(hierarchies, name, per):
    options = {"activation": FAST[name], "activation_parameters": per, "units": 2, "dropout": 0.2}
    replicas, networks = build(PathwayNetwork, hierarchies[:3], **options)
    train(replicas, networks, OPTIMIZERS["adam"], 6)
    assert kinds(replicas) == {StackedAsh}
    assert largest_difference(replicas, networks) < 1e-10


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("fast", [True, False], ids=["blocks", "forward"])
def test_without_batch_norm_and_in_plain_forward(hierarchies, norm, fast):
    options = {"activation": "ash(mode='leaky')", "activation_parameters": "node", "norm": norm}
    replicas, networks = build(PathwayNetwork, hierarchies[:3], **options)
    train(replicas, networks, OPTIMIZERS["adam"], 6, fast=fast)
    assert largest_difference(replicas, networks) < 1e-10


def test_quantiles_go_through_vmap(hierarchies):
    replicas, networks = build(PathwayNetwork, hierarchies[:3], activation="ash(threshold='quantile')")
    train(replicas, networks, OPTIMIZERS["adam"], 3)
    assert kinds(replicas) == {StackedActivation}
    assert largest_difference(replicas, networks) < 1e-10


@pytest.mark.parametrize("mode", ["smooth", "leaky"])
@pytest.mark.parametrize("values", [1, 5])
def test_the_gradient_is_the_derivative(mode, values):
    """Against finite differences in float64, with values of each replica's own."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)
    z = torch.randn(3, values, 1, generator=generator, dtype=torch.float64)
    alpha = torch.rand(3, values, 1, generator=generator, dtype=torch.float64) + 0.3
    g = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    gate = AshGate(1e-3, mode, 0.2 if mode == "leaky" else 0.0)
    found = gate_gradient(g, x, z, alpha, gated(x, z, alpha, gate)[1], gate, (True, True))
    step = 1e-6
    for place, gradient in enumerate(found):
        tensors = [x, z, alpha]
        for entry in range(0, tensors[place].numel(), 3):
            ends = []
            for sign in (1, -1):
                moved = [tensor.clone() for tensor in tensors]
                moved[place].view(-1)[entry] += sign * step
                ends.append((g * gated(*moved, gate)[0]).sum())
            slope = float(ends[0] - ends[1]) / (2 * step)
            assert float(gradient.flatten()[entry]) == pytest.approx(slope, abs=1e-7)


def test_groups_may_differ_between_replicas():
    modules = [ASH(num_parameters=2, groups=labels) for labels in (["a", "b", "b"], ["a", "a", "b"])]
    with torch.no_grad():
        for place, module in enumerate(modules):
            module.z.copy_(torch.tensor([0.5, -1.0]) + place)
    x = torch.randn(2, 6, 3)
    y = StackedAsh(modules)(x)
    for place, module in enumerate(modules):
        assert torch.allclose(y[place], module(x[place]), atol=1e-6)


@pytest.mark.parametrize("number", [2, 7])
def test_a_replica_does_not_depend_on_its_company(number):
    """Bit for bit, at a batch that fills vectors: sums must not run in another order when there are more replicas."""
    torch.manual_seed(0)
    x, g = torch.randn(2, number, 33, 32).unbind()
    for values in (1, 33):
        z, alpha = torch.rand(2, number, values, 1).unbind()
        gate = AshGate(1e-5, "smooth", 0.0)
        y, kept = gated(x, z, alpha, gate)
        every = (y, *gate_gradient(g, x, z, alpha, kept, gate, (True, True)))
        for place in range(number):
            own = [tensor[place : place + 1].contiguous() for tensor in (x, g, z, alpha)]
            single, kept_alone = gated(own[0], own[2], own[3], gate)
            alone = (single, *gate_gradient(own[1], own[0], *own[2:], kept_alone, gate, (True, True)))
            for together, expected in zip(every, alone, strict=True):
                assert torch.equal(together[place], expected[0])


def test_formulas_without_constants_are_called_once(hierarchies):
    replicas, networks = build(PathwayNetwork, hierarchies[:3], activation="formula(cos(x)-cos(cos(x)))")
    assert not kinds(replicas)
    train(replicas, networks, OPTIMIZERS["adam"], 6)
    assert largest_difference(replicas, networks) < 1e-10
