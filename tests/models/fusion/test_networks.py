"""What every network of several modalities keeps to: batches, order, absent modalities, gradients, memory."""

import importlib.util
from pathlib import Path

import pytest
import torch
from axonlight.models.bags import MultimodalInputs
from axonlight.models.fusion import AbsentModalities, keep_modalities, modality_subsets
from axonlight.models.tasks.optimization import check_groups, parameter_groups
from torch import nn

specification = importlib.util.spec_from_file_location("fusion_inputs", Path(__file__).with_name("conftest.py"))
small = importlib.util.module_from_spec(specification)
specification.loader.exec_module(small)

# A softmax does not feel what is added to all its scores: the gradients of these are 0 but for rounding.
SHIFTS = ("score.bias", "key.bias")


def backward(network, inputs, dtype=torch.float32):
    network.zero_grad()
    weights = torch.linspace(-1, 1, len(inputs.present) * 4, dtype=dtype).view(-1, 4)
    (network(inputs) * weights).sum().backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


def test_a_patient_alone_gets_what_it_gets_in_a_batch(name):
    network, inputs = small.network_of(name).eval(), small.inputs_of()
    alone = torch.cat([network(small.one(inputs, number)) for number in range(4)])
    torch.testing.assert_close(network(inputs), alone, rtol=0, atol=1e-6)
    assert (alone[0] - alone[3]).abs().max() > 1e-4


@pytest.mark.parametrize("name", small.SEEING)
def test_order_of_patches_changes_nothing(name):
    network, inputs = small.network_of(name).eval(), small.inputs_of()
    order = torch.cat(
        [torch.randperm(size) + start for size, start in zip(small.SIZES, inputs.pointers[:-1], strict=True)]
    )
    shuffled = inputs._replace(bags=inputs.bags[order])
    torch.testing.assert_close(network(shuffled), network(inputs), rtol=0, atol=1e-6)
    other = inputs._replace(bags=inputs.bags + torch.randn(5))
    assert not torch.allclose(network(other)[0], network(inputs)[0], atol=1e-4)


def test_every_parameter_is_there_from_the_start_and_learns(name):
    network, inputs = small.network_of(name, dropout=0.0), small.inputs_of()
    before = {key: id(value) for key, value in network.named_parameters()}
    optimizer = torch.optim.SGD(parameter_groups(network), lr=0.1)
    gradients = backward(network, inputs)
    optimizer.step()
    assert {key: id(value) for key, value in network.named_parameters()} == before
    check_groups(network, [optimizer])
    without = [key for key, value in gradients.items() if value is None or not value.abs().max() > 0]
    assert [key for key in without if not key.endswith(SHIFTS)] == []
    assert all(value is not None for value in gradients.values())


@pytest.mark.parametrize("missing", ["zeros", "learned"])
def test_outputs_and_gradients_are_finite_whoever_lacks_whatever(name, missing):
    network = small.network_of(name, missing=missing)
    for present in (((0, 0, 0),) * 4, ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)), ((0, 0, 1),) * 4):
        sizes = [size if there[1] else 0 for size, there in zip((3, 5, 0, 2), present, strict=True)]
        inputs = small.inputs_of(sizes, present)
        assert network(inputs).isfinite().all()
        # zero gradients, but not none: a process without slides must not wait for nobody
        assert all(value is not None and value.isfinite().all() for value in backward(network, inputs).values())


def test_nothing_of_an_absent_modality_is_seen(name):
    network, inputs = small.network_of(name).eval(), small.inputs_of((7, 4, 3, 12))
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0]]).bool()
    inputs = inputs._replace(present=present)
    rna, clinical, bags = inputs.rna.clone(), inputs.clinical.clone(), inputs.bags.clone()
    rna[2], clinical[3], bags[7:11] = torch.nan, torch.nan, torch.nan
    spoiled = MultimodalInputs(rna, bags, inputs.pointers, clinical, present)
    torch.testing.assert_close(network(spoiled), network(inputs), rtol=0, atol=0)
    assert all(value.isfinite().all() for value in backward(network, spoiled).values())


def test_every_subset_of_modalities_gives_another_answer(name):
    network, inputs = small.network_of(name).eval(), small.inputs_of((7, 4, 3, 12), ((1, 1, 1),) * 4)
    found = [network(keep_modalities(inputs, names)) for names in modality_subsets(network.absent.names)]
    for number, first in enumerate(found):
        for second in found[:number]:
            assert not torch.allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("name", small.SEEING)
def test_large_bags_computed_again_give_the_same_gradients(name):
    inputs = small.inputs_of((40, 0, 3, 12))
    networks = [small.network_of(name, checkpoint_patches=most, dropout=0.0).double() for most in (0, 8)]
    whole, pieces = (backward(network, small.inputs_of((40, 0, 3, 12), dtype=torch.float64), torch.float64)
                     for network in networks)  # fmt: skip
    for key, value in whole.items():
        torch.testing.assert_close(pieces[key], value, rtol=1e-9, atol=1e-11)
    assert len(inputs.bags) == 55


def test_state_is_loaded_into_a_network_of_another_seed(name):
    first, second = small.network_of(name).eval(), small.network_of(name, seed=5).eval()
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second(small.inputs_of()), first(small.inputs_of()), rtol=0, atol=0)


def test_half_precision_patches_and_autocast(name):
    network, inputs = small.network_of(name).eval(), small.inputs_of()
    half = inputs._replace(bags=inputs.bags.half())
    expected = network(inputs._replace(bags=half.bags.float()))
    torch.testing.assert_close(network(half), expected, rtol=0, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(inputs)
    torch.testing.assert_close(rough.float(), network(inputs), rtol=0.1, atol=0.1)


# Absent modalities -------------------------------------------------------------------------------------------------


def test_dropout_hides_modalities_patient_by_patient_and_never_all():
    absent = AbsentModalities({"rna": 2, "slides": 2, "clinical": 2}, dropout=0.4)
    present = torch.tensor([[True, True, True], [True, False, True], [False, True, False]]).repeat(2_000, 1)
    torch.manual_seed(0)
    used = absent.used(present)
    assert bool((used <= present).all())
    assert bool(used.any(1).all())
    assert bool(used[2::3, 1].all())
    rows = used[::3].float()
    # hidden with probability 0.4, less the 0.4^3 of losing all three
    assert rows.mean(0).tolist() == pytest.approx([0.6 + 0.4**3] * 3, abs=0.04)
    assert torch.corrcoef(rows.T)[0, 1].abs() < 0.1
    torch.manual_seed(0)
    assert torch.equal(absent.used(present), used)
    assert torch.equal(absent.eval().used(present), present)


def test_modalities_without_use_are_neither_used_nor_counted():
    absent = AbsentModalities({"slides": 2}, dropout=0.9)
    present = torch.ones(100, 3, dtype=torch.bool)
    assert torch.equal(absent.used(present), torch.tensor([[False, True, False]]).expand(100, 3))


def test_learned_tokens_take_the_place_of_what_is_absent():
    absent = AbsentModalities({"rna": 2}, missing="learned")
    values = torch.ones(2, 3, 2, requires_grad=True)
    filled = absent.fill("rna", values, torch.tensor([[True, False, False], [False, False, False]]))
    assert torch.equal(filled[0], values[0])
    assert torch.equal(filled[1], absent.tokens["rna"].expand(3, 2))
    filled.sum().backward()
    assert values.grad[1].abs().max() == 0
    assert absent.tokens["rna"].grad.tolist() == [3.0, 3.0]
    assert isinstance(absent.tokens["rna"], nn.Parameter)


def test_modality_dropout_changes_training_alone():
    network, inputs = small.network_of("concat", modality_dropout=0.5, dropout=0.0), small.inputs_of()
    torch.manual_seed(0)
    first, second = network(inputs), network(inputs)
    assert not torch.allclose(first, second)
    network.eval()
    assert torch.equal(network(inputs), network(inputs))
