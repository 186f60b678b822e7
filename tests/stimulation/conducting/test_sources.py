"""Values from other passes: unperturbed, of the batch before, of a frozen checkpoint; nothing else may notice."""

from collections import OrderedDict

import pytest
import torch
from axonlight.errors import InputError
from axonlight.stimulation import Clock, Conductor
from torch import nn
from torch._dynamo.testing import CompileCounter


def network_of(seed=0, dropout=0.0, norm=False):
    torch.manual_seed(seed)
    layers = OrderedDict(first=nn.Linear(3, 4), drop=nn.Dropout(dropout), norm=nn.BatchNorm1d(4), read=nn.Linear(4, 2))
    if not norm:
        del layers["norm"]
    return nn.Sequential(layers)


def patch(site, source="first", **options):
    return {"target": site, "opsin": {"kind": "patch", "source": source, **options}}


DRIVE = {"target": "first", "opsin": {"kind": "drive", "amount": 5.0}}


def lit(network, protocol, step=0):
    conductor = Conductor(protocol, network)
    conductor.install()
    conductor.begin(Clock(step=step), {})
    return conductor


def test_a_first_pass_is_unperturbed():
    x, free = torch.randn(5, 3), network_of()
    network = network_of()
    lit(network, [DRIVE, patch("read")])
    torch.testing.assert_close(network(x), free(x))
    network = network_of()
    lit(network, [DRIVE])
    assert not torch.allclose(network(x), free(x))


@pytest.mark.parametrize("detach", [False, True])
def test_gradient_flows_into_a_first_pass_unless_detached(detach):
    x, network = torch.randn(5, 3), network_of()
    lit(network, [{"target": "read:input", "opsin": {"kind": "patch", "site": "drop", "detach": detach}}])
    network(x).sum().backward()
    free = network_of()
    free(x).sum().backward()
    expected = torch.zeros_like(free.first.weight) if detach else free.first.weight.grad
    torch.testing.assert_close(network.first.weight.grad, expected)


def test_a_first_pass_draws_the_same_masks_and_leaves_random_numbers_and_batch_statistics_alone():
    x, network, free = torch.randn(8, 3), network_of(dropout=0.5, norm=True), network_of(dropout=0.5, norm=True)
    lit(network, [patch("drop")])
    torch.manual_seed(5)
    patched = network(x)
    after = torch.rand(())
    torch.manual_seed(5)
    assert torch.equal(patched, free(x))
    assert torch.equal(after, torch.rand(()))
    for name, value in free.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    patched.sum().backward()


def test_a_first_pass_is_dark_for_other_protocols_too():
    x, network = torch.randn(5, 3), network_of()
    lit(network, [DRIVE])
    lit(network, [patch("read")])
    torch.testing.assert_close(network(x), network_of()(x))


def test_the_batch_before_goes_through_the_weights_of_now():
    network, seen = network_of(), []
    conductor = Conductor([patch("first", "batch")], network)
    conductor.install()
    network.drop.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
    batches = [torch.randn(rows, 3) for rows in (4, 4, 2, 4)]
    expected = []
    for step, x in enumerate(batches):
        conductor.begin(Clock(step=step), {})
        network(x).sum().backward()
        conductor.end()
        before = batches[max(step - 1, 0)]
        taken = before[torch.arange(len(x)) % len(before)]
        expected.append(nn.functional.linear(taken, network.first.weight, network.first.bias).detach())
        if step == 0:
            assert network.first.weight.grad is not None
        with torch.no_grad():
            network.first.weight.add_(0.1)
    # every pass reaches the reader twice: the other pass, then the task's own
    for found, wanted in zip(seen[1::2], expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_the_batch_before_is_part_of_the_state():
    batches = [torch.randn(4, 3) for _ in range(3)]

    def run(conductor, steps):
        outputs = []
        for step in steps:
            conductor.begin(Clock(step=step), {})
            outputs.append(conductor.network(batches[step]).detach())
            conductor.end()
        return outputs

    def fresh():
        conductor = Conductor([patch("first", "batch")], network_of())
        conductor.install()
        return conductor

    whole, stopped, resumed = run(fresh(), range(3)), fresh(), fresh()
    run(stopped, range(2))
    resumed.load_state_dict(stopped.state_dict())
    assert torch.equal(run(resumed, [2])[0], whole[2])


@pytest.mark.parametrize("prefix", ["", "network.", "model.network."])
def test_a_graft_is_frozen_and_complete(tmp_path, prefix):
    x, donor, network = torch.randn(5, 3), network_of(seed=1, dropout=0.5), network_of(dropout=0.5)
    weights = {f"{prefix}{name}": value for name, value in donor.state_dict().items()}
    torch.save({"state_dict": {**weights, "loss.weight": torch.ones(2)}} if prefix else weights, tmp_path / "d.ckpt")
    lit(network, [patch("drop", {"checkpoint": str(tmp_path / "d.ckpt")})])
    output = network(x)
    torch.testing.assert_close(output, network.read(donor.first(x)))
    output.sum().backward()
    assert not network.first.weight.grad.any()
    assert network.read.weight.grad.any()
    assert donor.first.weight.grad is None
    assert len(list(network.parameters())) == 4


def test_a_graft_that_does_not_fit_is_refused_with_the_line(tmp_path):
    path = tmp_path / "wide.ckpt"
    torch.save(nn.Sequential(OrderedDict(first=nn.Linear(3, 7), read=nn.Linear(7, 2))).state_dict(), path)
    with pytest.raises(InputError, match=r"stimulus 1 \(patch at read\): checkpoint .* first.weight of shape \(7, 3\)"):
        lit(network_of(), [patch("read", {"checkpoint": str(path)})])
    torch.save({"other": torch.ones(2)}, path)
    with pytest.raises(InputError, match=r"stimulus 1 .*: checkpoint .*"):
        lit(network_of(), [patch("read", {"checkpoint": str(path)})])
    path.write_text("no checkpoint")
    with pytest.raises(InputError, match=r"stimulus 1 .*: checkpoint .* cannot be read"):
        lit(network_of(), [patch("read", {"checkpoint": str(path)})])


def test_no_pass_is_run_in_the_dark():
    network, passes = network_of(), []
    network.first.register_forward_hook(lambda *_: passes.append(1))
    light = {"window": {"start": 3}}
    conductor = Conductor([patch("read") | {"light": light}], network)
    conductor.install()
    counts = []
    for step in range(5):
        passes.clear()
        conductor.begin(Clock(step=step), {})
        network(torch.ones(1, 3))
        counts.append(len(passes))
        conductor.end()
    assert counts == [1, 1, 1, 2, 2]


def test_copies_within_a_pass_carry_gradient():
    network, x = network_of(), torch.randn(5, 3)
    protocol = [{"target": "drop", "opsin": {"kind": "copy", "site": "first"}}, {"target": "first", "opsin": "silence"}]
    lit(network, protocol)
    assert torch.equal(network(x), network.read.bias.expand(5, 2))  # what is copied is what light made of it
    network = network_of()
    lit(network, [{"target": "drop", "opsin": {"kind": "copy", "site": "first"}}])
    network(x).sum().backward()
    free = network_of()
    free(x).sum().backward()
    torch.testing.assert_close(network.first.weight.grad, free.first.weight.grad)


def test_compiled_in_one_graph(tmp_path):
    torch.save(network_of(seed=1).state_dict(), tmp_path / "donor.ckpt")
    pulse = {"light": {"pulse": {"period": 2, "width": 1}}}
    protocol = [
        DRIVE,
        patch("drop") | pulse,
        patch("read", {"checkpoint": str(tmp_path / "donor.ckpt")}) | {"light": {"pulse": {"period": 3, "width": 1}}},
        {"target": "read:input", "opsin": {"kind": "copy", "site": "first"}, **pulse},
    ]
    network, counter = network_of(), CompileCounter()
    conductor = Conductor(protocol, network)
    conductor.install()
    compiled = torch.compile(network, backend=counter, fullgraph=True)
    for step in range(6):
        x = torch.randn(4, 3)
        results = []
        for run in (compiled, network):
            network.zero_grad()
            conductor.begin(Clock(step=step), {})
            output = run(x)
            output.sum().backward()
            conductor.end()
            results.append((output, network.first.weight.grad.clone()))
        torch.testing.assert_close(results[0], results[1])
    assert counter.frame_count == 1
