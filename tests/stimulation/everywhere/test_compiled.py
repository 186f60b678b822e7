"""Compiled: one graph while light goes on and off, and the numbers of eager mode."""

import pytest
import torch
from axonlight.callbacks import Optogenetics
from axonlight.stimulation import Clock, Conductor, Protocol
from lab import PULSED, SILENCE, LabTask, assert_same, data_of, fitted, loader_of, network_of, weights
from torch._dynamo.testing import CompileCounterWithBackend

PROTOCOL = [
    PULSED,
    {
        "target": "activation",
        "opsin": {"kind": "drive", "amount": 2.0},
        "light": {"ramp": {"duration": 9, "unit": "steps"}},
    },
    {
        "target": "hidden",
        "opsin": {"kind": "noise", "sigma": 0.5, "kinetics": {"rise": 2.0, "decay": 1.0}},
        "light": {"pulse": {"period": 4, "width": 1}, "probability": 0.5},
    },
    {
        "target": "readout:input",
        "opsin": {"kind": "shunt", "gain": 0.5},
        "gradient": "pass",
        "light": {"closed_loop": {"kind": "trigger", "sensor": "loss", "below": 1.0, "hold": 2}},
    },
]


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def steps(network, forward, protocol, count=12):
    """Return losses and gradients of steps under a conductor, without any trainer."""
    conductor = Conductor(Protocol.build(protocol), network, seed=3)
    conductor.install()
    (x, y), found, loss = data_of(), [], None
    for step in range(count):
        conductor.begin(Clock(step=step, samples=step * len(x), loss=loss), {"input": x, "target": y})
        network.zero_grad()
        value = torch.nn.functional.cross_entropy(forward(x), y)
        value.backward()
        conductor.end()
        loss = value.item()
        gradients = {name: p.grad.clone() for name, p in network.named_parameters()}
        found.append((loss, gradients))
    conductor.remove()
    return found


def assert_same_steps(left, right):
    for (loss, gradients), (other, others) in zip(left, right, strict=True):
        assert loss == pytest.approx(other, rel=1e-5)
        assert_same(gradients, others, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_one_graph_while_pulses_toggle(backend):
    network, counter = network_of(), CompileCounterWithBackend(backend)
    compiled = steps(network, torch.compile(network, backend=counter, fullgraph=True), PROTOCOL)
    assert counter.frame_count == 1
    eager_network = network_of()
    assert_same_steps(compiled, steps(eager_network, eager_network, PROTOCOL))
    silent = [not gradients["heads.0.weight"].any() for _, gradients in compiled]
    assert any(silent)
    assert not all(silent)


def test_inductor_equals_eager():
    network, eager = network_of(), network_of()
    compiled = steps(network, torch.compile(network, fullgraph=True), PROTOCOL[:2], count=6)
    assert_same_steps(compiled, steps(eager, eager, PROTOCOL[:2], count=6))


def test_one_graph_under_the_trainer(tmp_path):
    """The pulses of a run: training and validation are a graph each, however often light changes."""
    counter, network = CompileCounterWithBackend("aot_eager"), network_of()
    compiled = LabTask(network, forward=torch.compile(network, backend=counter))
    found = fitted(tmp_path, protocol=PROTOCOL, task=compiled, max_epochs=3)
    eager = fitted(tmp_path, protocol=PROTOCOL, task=LabTask(network_of()), max_epochs=3)
    assert counter.frame_count == 1
    torch.testing.assert_close(found.losses, eager.losses, rtol=1e-4, atol=1e-6)
    assert_same(weights(found), weights(eager), rtol=1e-3, atol=1e-4)


class QuietTask(LabTask):
    """Keeps no numbers on the way, which would break the graph."""

    def training_step(self, batch, batch_idx):
        return self.loss(batch)


def test_whole_task_compiled(tmp_path):
    """`Trainer.fit(torch.compile(task))` is Lightning's own way to compile a training step."""
    task, eager, counter = QuietTask(network_of()), QuietTask(network_of()), CompileCounterWithBackend("aot_eager")
    fitted(tmp_path, protocol=PROTOCOL, task=eager)
    fitted(tmp_path, protocol=PROTOCOL, task=torch.compile(task, backend=counter), loader=loader_of())
    assert counter.frame_count == 1
    assert_same(weights(task), weights(eager), rtol=1e-3, atol=1e-4)


ARMS = {
    "none": None,
    "head 0": [SILENCE],
    "head 1": [SILENCE | {"target": {"site": "mixed", "heads": [1]}}],
    "weak drive": [{"target": "activation", "opsin": {"kind": "drive", "amount": 1.0}}],
    "strong drive": [{"target": "activation", "opsin": {"kind": "drive", "amount": 3.0}}],
    "none again": None,
}


def test_arms_in_one_process_do_not_share_graphs(tmp_path):
    """Networks of one class share graphs; each arm is stimulated as it says, whatever was compiled before."""
    for protocol in ARMS.values():
        network = network_of()
        forward = torch.compile(network, backend="eager", fullgraph=True)
        found, expected = (
            fitted(tmp_path, protocol=protocol, task=task, max_steps=3)
            for task in (LabTask(network, forward=forward), LabTask(network_of()))
        )
        assert found.losses == pytest.approx(expected.losses)


def test_a_network_that_was_compiled_before(tmp_path):
    """A graph from before the hooks does not run on without them, and none with them after they are gone."""
    network, (x, _) = network_of(), data_of()
    forward, callback = torch.compile(network, backend="eager", fullgraph=True), Optogenetics([PULSED])
    before = forward(x[:8])
    for _ in range(2):
        network.load_state_dict(network_of().state_dict())
        assert torch.equal(forward(x[:8]), before)
        found = fitted(tmp_path, protocol=callback, task=LabTask(network, forward=forward))
        silent = [not gradients["heads.0.weight"].any() for gradients in found.gradients]
        assert silent == [False, True, True, False, True, True, False, True]
