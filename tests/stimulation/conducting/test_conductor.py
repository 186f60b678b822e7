"""The conductor: what is lit when, who decides, what is remembered, what is refused."""

from collections import OrderedDict

import pytest
import torch
from axonlight.errors import InputError, RunError
from axonlight.models import DenseNetwork
from axonlight.stimulation import Clock, Conductor, Protocol
from torch import nn

PULSES = [{"target": "inner", "opsin": "silence", "light": {"pulse": {"period": 3, "width": 1}}}]


def network_of(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(OrderedDict(inner=nn.Linear(3, 4), read=nn.Linear(4, 2)))


def levels(conductor, clocks, batch=None):
    """Return the gates of every batch; the network is run in each."""
    found = []
    for clock in clocks:
        conductor.begin(clock, batch or {"input": torch.ones(2, 3)})
        conductor.network(torch.ones(2, 3))
        found.append([fiber.gate.item() for fiber in conductor.fibers])
        conductor.end(clock.phase == "train")
    return found


def installed(protocol, network=None, **options):
    conductor = Conductor(protocol, network or network_of(), **options)
    conductor.install()
    return conductor


def test_micro_batches_of_one_update_share_the_light_and_not_the_noise():
    conductor = installed([{**PULSES[0], "opsin": {"kind": "noise", "sigma": 1.0}}])
    seeds = []
    for step in range(4):
        for _ in range(2):
            conductor.begin(Clock(step=step), {})
            assert conductor.fibers[0].lit == (step % 3 == 0)
            if conductor.fibers[0].lit:
                seeds.append(conductor.scene.step_seed.item())
            conductor.end()
    assert len(seeds) == 4
    assert len(set(seeds)) == len(seeds)


def test_evaluation_neither_moves_lights_nor_shows_those_of_training():
    loop = {"kind": "trigger", "sensor": "loss", "below": 1.0, "hold": 2}
    protocol = [
        {"target": "inner", "opsin": "silence", "light": {"closed_loop": loop}, "phases": ["train", "validate"]},
        {"target": "read", "opsin": "silence"},
        {"target": "read:input", "opsin": "silence", "phases": ["validate"]},
    ]
    interrupted, plain = installed(protocol), installed(protocol)
    losses = [2.0, 0.5, 0.5, 2.0, 0.5]
    for step, loss in enumerate(losses):
        here = Clock(step=step, loss=loss)
        gates = levels(interrupted, [here])[0]
        assert gates == levels(plain, [here])[0]
        assert gates[2] == 0
        validating = levels(interrupted, [Clock(step=step + 1, loss=0.1, phase="validate")] * 3)
        assert all(gate[1] == 0 and gate[2] == 1 for gate in validating)
    assert [state.to_dict() for state in interrupted.states] == [state.to_dict() for state in plain.states]


def test_kinetics_advance_once_for_every_update():
    protocol = [{"target": "inner", "opsin": {"kind": "silence", "kinetics": {"rise": 2.0}}}]
    alone, accumulating = installed(protocol), installed(protocol)
    single = levels(alone, [Clock(step=step) for step in range(3)])
    double = levels(accumulating, [Clock(step=step) for step in (0, 0, 1, 1, 2, 2)])
    assert double[::2] == double[1::2] == single
    assert single[0] < single[1] < single[2]


def test_a_lesion_is_for_good():
    light = {"window": {"start": 2, "stop": 3}}
    conductor = installed([{"target": "inner", "opsin": "lesion", "light": light}])
    assert levels(conductor, [Clock(step=step) for step in range(5)]) == [[0], [0], [1], [1], [1]]


def test_statistics_of_a_site_are_those_of_the_batch_before():
    loop = {"kind": "pi", "sensor": "statistic:inner:std", "setpoint": 0.0, "kp": -1.0, "maximum": 100.0}
    drive = {"kind": "drive", "amount": 0.0}
    network = network_of()
    conductor = installed([{"target": "read", "opsin": drive, "light": {"closed_loop": loop}}], network)
    batches = [torch.randn(5, 3) * 2**number for number in range(3)]
    gates = []
    for step, x in enumerate(batches):
        conductor.begin(Clock(step=step), {"input": x})
        gates.append(conductor.fibers[0].gate.item())
        network(x)
        conductor.end()
    spreads = [network.inner(x).detach().double().numpy().std() for x in batches]
    assert gates[0] == 0.0
    assert gates[1:] == pytest.approx(spreads[:2], rel=1e-5)


def test_statistics_see_what_light_does_and_running_means_do_not():
    protocol = [
        {"target": "inner", "opsin": {"kind": "clamp", "value": "mean"}},
        {
            "target": "read",
            "opsin": "silence",
            "light": {
                "closed_loop": {"kind": "pi", "sensor": "statistic:inner:std", "setpoint": 1.0, "kp": 1.0},
            },
        },
    ]
    network = network_of()
    conductor = installed(protocol, network)
    x = torch.randn(6, 3)
    for step in range(2):
        conductor.begin(Clock(step=step), {"input": x})
        network(x)
        conductor.end()
    expected = nn.functional.linear(x, network.inner.weight, network.inner.bias).mean(0)
    torch.testing.assert_close(conductor.scene.sources["mean", "inner"], expected)
    held = conductor.sensing.values()
    assert held["statistic:inner:std"] == pytest.approx(expected.detach().numpy().std(), rel=1e-4)


def test_samples_are_lit_by_class_and_by_chance_and_the_same_on_every_split():
    light = {"probability": 0.5}
    protocol = [{"target": {"site": "inner", "classes": [1]}, "opsin": "silence", "light": light}]
    target = torch.tensor([0, 1] * 8)
    conductor = installed(protocol)
    conductor.begin(Clock(step=1, samples=32), {"target": target})
    whole = conductor.fibers[0].samples
    assert not whole[::2].any()
    assert 0 < whole[1::2].sum() < 8
    parts = []
    for rank in range(2):
        conductor.begin(Clock(step=1, samples=32), {"target": target[rank::2]}, rank, 2)
        parts.append(conductor.fibers[0].samples)
    assert torch.equal(torch.stack(parts, 1).flatten(), whole)
    for part in range(2):
        conductor.begin(Clock(step=1, samples=32 + 8 * part), {"target": target[8 * part : 8 * part + 8]})
        assert torch.equal(conductor.fibers[0].samples, whole[8 * part : 8 * part + 8])


def test_state_goes_on_exactly():
    protocol = [
        {
            "target": "inner",
            "opsin": {"kind": "clamp", "value": "mean", "kinetics": {"rise": 2.0, "decay": 3.0}},
            "light": {"closed_loop": {"kind": "pi", "sensor": "statistic:read:mean", "setpoint": 0.3, "kp": 0.5}},
        },
        {"target": "read", "opsin": {"kind": "noise", "sigma": 1.0}, "light": {"probability": 0.5}},
    ]
    batches = [torch.randn(4, 3) for _ in range(8)]

    def run(conductor, steps):
        outputs = []
        for step in steps:
            conductor.begin(Clock(step=step, samples=4 * step), {"input": batches[step]})
            outputs.append(conductor.network(batches[step]))
            conductor.end()
        return torch.stack(outputs)

    whole = run(installed(protocol), range(8))
    first = installed(protocol)
    run(first, range(5))
    second = installed(protocol)
    second.load_state_dict(first.state_dict())
    assert torch.equal(run(second, range(5, 8)), whole[5:])
    fresh = installed(protocol)
    assert not torch.equal(run(fresh, range(5, 8)), whole[5:])


def test_state_of_another_protocol_is_refused():
    other = Conductor([{"target": "inner", "opsin": "sham"}], network_of())
    with pytest.raises(InputError, match="the state is that of protocol"):
        installed(PULSES).load_state_dict(other.state_dict())


def test_the_record_says_how_many_units_and_which_steps():
    conductor = installed(PULSES)
    levels(conductor, [Clock(step=step) for step in range(7)])
    conductor.check_first_pass()
    (row,) = conductor.record.rows()
    assert (row["units"], row["steps"], row["dose"]) == (4, "0 every 3 steps, 3 times", 12.0)


def test_a_sham_is_recorded_and_does_nothing():
    x, network = torch.randn(2, 3), network_of()
    conductor = installed([{"target": "inner", "opsin": "sham"}], network)
    free = network_of()(x)
    conductor.begin(Clock(), {})
    assert torch.equal(network(x), free)
    assert conductor.record.rows()[0]["batches"] == 1
    assert not conductor.stimulators[0].active


class Unreached(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        x = self.used(x)
        return self.attention(x, x, x)[0]


@pytest.mark.parametrize(
    ("site", "reason"),
    [("attention.out_proj", "as functions.*take attention itself"), ("unused", "the forward pass does not come by")],
)
def test_a_site_that_never_fires_is_an_error_that_says_why(site, reason):
    network = Unreached()
    conductor = installed([{"target": "used", "opsin": "silence"}, {"target": site, "opsin": "silence"}], network)
    conductor.begin(Clock(), {})
    network(torch.randn(2, 3, 4))
    with pytest.raises(RunError, match=rf"stimulus 2 \(silence at {site}\): no activation came by.*{reason}"):
        conductor.check_first_pass()


def test_positions_that_only_the_first_pass_can_tell_are_checked():
    conductor = installed(
        [{"target": {"site": "inner", "positions": [7]}, "opsin": "silence", "light": {"strength": 0}}]
    )
    conductor.begin(Clock(), {})
    conductor.network(torch.randn(2, 5, 3))
    with pytest.raises(InputError, match=r"stimulus 1 \(silence at inner\): positions is \[7\]"):
        conductor.check_first_pass()


def test_two_protocols_at_one_site_and_only_our_own_hooks_go():
    network, x = network_of(), torch.ones(2, 3)
    seen = []
    foreign = network.inner.register_forward_hook(lambda *_: seen.append(1))
    drive = [{"target": "read", "opsin": {"kind": "drive", "amount": 1.0}}]
    first, second = installed(drive, network), installed(drive, network)
    free = network_of()(x)
    for conductor in (first, second):
        conductor.begin(Clock(), {})
    torch.testing.assert_close(network(x), free + 2)
    first.remove()
    first.remove()
    torch.testing.assert_close(network(x), free + 1)
    second.remove()
    assert torch.equal(network(x), free)
    assert list(network.inner._forward_hooks) == [foreign.id]


def test_an_unlit_site_costs_one_look():
    """Nothing of the opsin, the light or the scene is touched while nothing is lit."""
    network = DenseNetwork(3, 1, hidden=[4], norm="none")
    conductor = installed([{"target": "hidden_0.post", "opsin": "silence", "light": {"window": [5, 6]}}], network)
    conductor.begin(Clock(step=0), {})
    conductor.stimulators[0].through = None  # would fail when called
    network(torch.ones(1, 3))
    conductor.begin(Clock(step=5), {})
    with pytest.raises(TypeError):
        network(torch.ones(1, 3))


def test_reading_protocols_of_every_form():
    assert Conductor(Protocol.build(PULSES), network_of()).protocol == Conductor(PULSES, network_of()).protocol


@pytest.mark.parametrize(
    "opsin", ["silence", {"kind": "shunt", "gain": 0.5}, {"kind": "clamp", "value": [1.0, 2.0, 3.0]}]
)
def test_what_a_validation_leaves_behind_serves_training(opsin):
    network, x = DenseNetwork(4, 1, hidden=[3]), torch.randn(5, 4)
    stimulus = {"target": {"site": "hidden_0.post"}, "opsin": opsin, "phases": ["train", "validate"]}
    conductor = Conductor([stimulus], network)
    conductor.install()
    with torch.inference_mode():
        conductor.begin(Clock(phase="validate"), {"input": x})
        network(x)
        conductor.end(training=False)
    conductor.begin(Clock(step=0), {"input": x})
    network(x).sum().backward()
    assert network.layers[0].weight.grad is not None
