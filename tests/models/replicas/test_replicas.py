"""What replicas are built from, refuse, hand out and take back."""

import copy
import pickle
from functools import partial

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import DenseNetwork, EdgeLinear, PathwayNetwork
from axonlight.models.layers.dropout import UnitDropout, draw_mask
from axonlight.models.replicas import Replicas
from axonlight.models.replicas.masks import StepMasks
from torch import nn

from .conftest import SIZES


def losses(outputs, places):
    return outputs.square().mean((-1, -2))


def build(hierarchies, **options):
    network = partial(PathwayNetwork, **options)
    return Replicas(network, SIZES[0], 1, hierarchies=hierarchies, seeds=[3] * len(hierarchies), block_size=2)


def test_networks_start_as_they_start_alone_and_the_global_generator_is_left_alone(hierarchies):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    replicas = Replicas(PathwayNetwork, SIZES[0], 1, hierarchies=hierarchies, seeds=range(5))
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(4)
    alone = PathwayNetwork(SIZES[0], 1, hierarchies[4])
    for name, value in replicas.network(4).state_dict().items():
        assert torch.equal(value, alone.state_dict()[name]), name


def test_parameters_are_the_edges_of_all(hierarchies):
    replicas = build(hierarchies)
    counts = [sum(p.numel() for p in replicas.network(place).parameters()) for place in range(5)]
    assert len(set(counts)) > 1, "the draws have other numbers of edges"
    assert sum(p.numel() for p in replicas.parameters()) == sum(counts)


def test_a_network_hands_its_values_back(hierarchies):
    replicas = build(hierarchies)
    network = replicas.network(1)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5)
    before = replicas.state(2)
    replicas.load(1, network.state_dict())
    x = torch.randn(4, SIZES[0])
    assert torch.allclose(replicas.eval()(x)[1], network.eval()(x), atol=1e-6)
    ours, theirs = replicas.network(1).edge_table(), network.edge_table()
    assert ours.equals(theirs)
    after = replicas.state(2)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_state_dict_round_trip(hierarchies):
    first, second = build(hierarchies), Replicas(PathwayNetwork, 12, 1, hierarchies=hierarchies, seeds=[9])
    second.load_state_dict(first.state_dict())
    x = torch.randn(4, SIZES[0])
    assert torch.equal(first.eval()(x), second.eval()(x))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_learn_for_themselves(hierarchies, copied):
    replicas = build(hierarchies)
    x = torch.randn(8, SIZES[0])
    replicas.seed_step([1, 2, 3, 4, 5])
    replicas.backward(x, losses)
    twin = copied(replicas)
    state = replicas.state(0)
    optimizer = torch.optim.SGD(twin.parameters(), lr=1.0)
    twin.seed_step([1, 2, 3, 4, 5])
    optimizer.zero_grad()
    twin.backward(x, losses)
    gradients = zip(twin.parameters(), replicas.parameters(), strict=True)
    assert all(torch.allclose(ours.grad, theirs.grad, atol=1e-6) for ours, theirs in gradients)
    before = twin.eval()(x)
    optimizer.step()
    assert not torch.allclose(twin(x), before)
    assert all(torch.equal(value, state[name]) for name, value in replicas.state(0).items())


def test_gradients_add_up_and_belong_to_the_parameters(hierarchies):
    replicas = build(hierarchies, dropout=0.0)
    x = torch.randn(8, SIZES[0])
    losses(replicas(x), None).sum().backward()
    expected = [parameter.grad.clone() for parameter in replicas.parameters()]
    replicas.backward(x, losses)
    for parameter, gradient in zip(replicas.parameters(), expected, strict=True):
        assert torch.allclose(parameter.grad, 2 * gradient, atol=1e-5)
    replicas.zero_grad()
    values = replicas.backward(x, losses)
    assert values.shape == (5,)
    for parameter, gradient in zip(replicas.parameters(), expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, atol=1e-5)


def test_what_does_not_learn_gets_no_gradient(hierarchies):
    replicas = build(hierarchies)
    frozen = replicas.stacked.layers["low"].linear.weight.requires_grad_(False)
    replicas.backward(torch.randn(8, SIZES[0]), losses)
    assert frozen.grad is None
    assert replicas.stacked.layers["middle"].linear.weight.grad is not None


def test_a_replica_that_breaks_leaves_the_others_alone(hierarchies):
    replicas, sound = build(hierarchies), build(hierarchies)
    replicas.load(1, {name: value * float("nan") for name, value in replicas.state(1).items()})
    x = torch.randn(8, SIZES[0])
    for each in (replicas, sound):
        each.seed_step([7] * 5)
    found, expected = replicas.backward(x, losses), sound.backward(x, losses)
    assert found[1].isnan()
    assert torch.equal(found[[0, 2, 3, 4]], expected[[0, 2, 3, 4]])
    edges = replicas.stacked.layers["middle"].linear
    finite = edges.weight.grad.isfinite()
    assert not finite[edges.rows("weight", 1, 2)].any()
    assert finite[edges.rows("weight", 0, 1)].all()
    assert finite[edges.rows("weight", 2, 5)].all()


def test_one_row_is_refused_by_batch_norm(hierarchies):
    with pytest.raises(ValueError, match="two rows"):
        build(hierarchies).backward(torch.randn(1, SIZES[0]), losses)


def test_existing_networks_are_copied(hierarchies):
    networks = [DenseNetwork(4, 1, hidden=[3]) for _ in range(3)]
    replicas = Replicas(networks)
    value = networks[0].layers[0].weight.detach().clone()
    torch.nn.init.zeros_(networks[0].layers[0].weight)
    assert torch.equal(replicas.network(0).layers[0].weight, value)
    assert torch.allclose(replicas.eval()(torch.ones(2, 4))[2], networks[2].eval()(torch.ones(2, 4)), atol=1e-6)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ([], "no replicas"),
        ([nn.Sequential(nn.Conv1d(1, 1, 1))] * 2, r"0 \(Conv1d\) cannot be stacked"),
        ([nn.Sequential(nn.RReLU())] * 2, r"0 \(RReLU\) cannot be stacked"),
        ([nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(2, 4))], "out_features is 3 in replica 0 and 4 in"),
        ([nn.Sequential(nn.Tanh()), nn.Sequential(nn.Linear(2, 2))], "class is Tanh in replica 0 and Linear in repl"),
        ([nn.Sequential(nn.Tanh()), nn.Sequential(nn.RReLU())], "class is Tanh in replica 0 and RReLU in replica 1"),
        ([nn.Sequential(UnitDropout(0.1)), nn.Sequential(UnitDropout(0.2))], "p is 0.1 in replica 0 and 0.2"),
        ([nn.Sequential(EdgeLinear(torch.tensor([[0], [0]]), 1, 1, channels=2))], "channels"),
        ([nn.Sequential(nn.Dropout(0.1))], r"0 \(Dropout\) cannot be stacked"),
    ],
)
def test_what_cannot_be_stacked_is_named(networks, message):
    with pytest.raises(InputError, match=message):
        Replicas(networks)


def test_hooks_are_refused():
    network = nn.Sequential(nn.Linear(2, 2))
    network[0].register_forward_hook(lambda *_: None)
    with pytest.raises(InputError, match="hooks"):
        Replicas([network])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": [0, 1, 2]}, "seeds lists 3 for 5 replicas"),
        ({"seeds": [0], "names": ["one"]}, "names lists 1 names for 5 replicas"),
        ({"seeds": [0], "block_size": 0}, "block_size is 0"),
    ],
)
def test_numbers_must_agree(hierarchies, arguments, message):
    with pytest.raises(InputError, match=message):
        Replicas(PathwayNetwork, 12, 1, hierarchies=hierarchies, **arguments)


def test_places_and_seeds_are_checked(hierarchies):
    replicas = build(hierarchies)
    with pytest.raises(InputError, match="replica is 5"):
        replicas.network(5)
    with pytest.raises(InputError, match="seeds lists 2 seeds for 5 replicas"):
        replicas.seed_step([0, 1])
    with pytest.raises(InputError, match="lacks"):
        replicas.load(0, {})


def test_masks_of_a_seed_are_those_of_the_global_generator():
    masks = StepMasks()
    masks.seed([5, 6, 5])
    masks.start_pass()
    drawn = [masks.draw(0, 2, torch.empty(7, 3), 0.4), masks.draw(0, 2, torch.empty(2, 3), 0.4)]
    drawn_of_third = [masks.draw(2, 1, torch.empty(7, 3), 0.4), masks.draw(2, 1, torch.empty(2, 3), 0.4)]
    for place, seed in enumerate([5, 6]):
        torch.manual_seed(seed)
        for mask in drawn:
            assert torch.equal(mask[place], draw_mask(torch.empty(mask.shape[1:]), 0.4))
    for first, third in zip(drawn, drawn_of_third, strict=True):
        assert torch.equal(first[0], third[0])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p):
    torch.manual_seed(0)
    x = torch.ones(1000, 501)
    y = UnitDropout(p)(x)
    assert abs((y == 0).double().mean() - p) < 5 * (p * (1 - p) / x.numel()) ** 0.5
    assert abs(y.double().mean() - 1) < 5 * (p / (1 - p) / x.numel()) ** 0.5
    assert torch.equal(UnitDropout(p).eval()(x), x)


def test_dropout_depends_on_the_seed_not_on_the_layout():
    drawn = []
    for x in (torch.ones(6, 10), torch.ones(10, 6).t()):
        torch.manual_seed(3)
        drawn.append(UnitDropout(0.5)(x))
    assert torch.equal(*drawn)
    assert not torch.equal(UnitDropout(0.5)(torch.ones(6, 10)), drawn[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_as_on_a_processor(hierarchies):
    replicas = build(hierarchies, dropout=0.0)
    x = torch.randn(8, SIZES[0])
    there = copy.deepcopy(replicas).cuda()
    assert torch.allclose(there.backward(x.cuda(), losses).cpu(), replicas.backward(x, losses), atol=1e-5)
    for ours, theirs in zip(there.parameters(), replicas.parameters(), strict=True):
        assert torch.allclose(ours.grad.cpu(), theirs.grad, atol=1e-5)


@pytest.mark.parametrize("backend", ["bag", "dense"])
def test_a_bias_before_batch_norm_learns_nothing_in_training_and_counts_in_evaluation(hierarchies, backend):
    network = PathwayNetwork(SIZES[0], 1, hierarchies[0], dropout=0.0, backend=backend)
    x = torch.randn(8, SIZES[0])
    network(x).sum().backward()
    biases = [layer.linear.bias for layer in network.pathway_layers]
    assert all(torch.equal(bias.grad, torch.zeros_like(bias)) for bias in biases)
    network.eval()(x).sum().backward()
    assert all(bias.grad.abs().max() > 0 for bias in biases)
