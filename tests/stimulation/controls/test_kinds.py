"""Controls: each changes one thing about a protocol and keeps the rest."""

import re

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import AttentionOnlyTransformer, DenseNetwork
from axonlight.stimulation import Clock, Conductor, Protocol
from axonlight.stimulation.controls import CONTROLS, controls_of, opposite, random_units
from axonlight.stimulation.opsins import OPSINS, build_opsin

NETWORK = DenseNetwork(6, 1, hidden=[12, 4])
LIGHT = {"window": [2, 10], "pulse": {"period": 3, "width": 1}, "strength": 0.5}
LINES = [
    {
        "name": "drive",
        "target": {"site": "hidden_0.post", "units": [0, 5, 3], "gain": [0.5, 1.0, 2.0], "classes": [1]},
        "opsin": {"kind": "drive", "amount": 2.0},
        "light": LIGHT,
        "gradient": "pass",
        "phases": ["train", "validate"],
    },
    {"target": {"site": "hidden_0.post", "fraction": 0.25}, "opsin": {"kind": "shunt", "gain": 0.5}, "light": LIGHT},
]
PROTOCOL = Protocol.build({"stimuli": LINES, "seed": 3})
CONTROL = controls_of(PROTOCOL, NETWORK).protocols


def reached(protocol, network=NETWORK):
    """The units that every stimulus reaches, by its number."""
    return {item.number: set(item.expression().nonzero().flatten().tolist()) for item in protocol.bind(network)}


def ran(protocol, network=NETWORK, steps=12):
    """Outputs of a network under a protocol, step by step, and its record."""
    conductor = Conductor(protocol, network)
    conductor.install()
    for item in protocol.bind(network):
        conductor.record.place(item.number, item.site.name, *item.count())
    outputs = []
    for step in range(steps):
        x = torch.linspace(-1, 1, 24).reshape(4, 6) + step
        conductor.begin(Clock(step=step), {"input": x, "target": torch.tensor([0, 1, 0, 1])})
        outputs.append(network(x).detach())
        conductor.end()
    conductor.remove()
    return torch.stack(outputs), conductor.record


@pytest.fixture(autouse=True)
def evaluated():
    NETWORK.eval()


def test_all_controls_of_a_protocol_that_has_them():
    assert tuple(CONTROL) == CONTROLS
    assert len({protocol.hash for protocol in (PROTOCOL, *CONTROL.values())}) == 5
    for protocol in CONTROL.values():
        assert Protocol.build(protocol.to_dict()) == protocol
        protocol.check(NETWORK)


def test_sham_is_the_same_light_and_dose_and_changes_nothing():
    sham = CONTROL["sham"]
    assert [stimulus.light for stimulus in sham.stimuli] == [stimulus.light for stimulus in PROTOCOL.stimuli]
    assert [stimulus.phases for stimulus in sham.stimuli] == [stimulus.phases for stimulus in PROTOCOL.stimuli]
    assert reached(sham) == reached(PROTOCOL)
    outputs, record = ran(sham)
    stimulated, expected = ran(PROTOCOL)
    plain = torch.stack([NETWORK(torch.linspace(-1, 1, 24).reshape(4, 6) + step).detach() for step in range(12)])
    assert torch.equal(outputs, plain)
    assert not torch.equal(stimulated, plain)
    doses = [[(row["steps"], row["dose"]) for row in lab.rows()] for lab in (record, expected)]
    assert doses[0] == doses[1]
    assert all(dose > 0 for _, dose in doses[0])


def test_random_units_are_others_at_the_same_dose():
    control = CONTROL["random_units"]
    before, after = reached(PROTOCOL), reached(control)
    assert [len(after[number]) for number in (0, 1)] == [3, 3]
    # nobody's units: neither those of the stimulus itself nor those of another one at the site
    assert not (after[0] | after[1]) & (before[0] | before[1])
    assert not after[0] & after[1]
    for one, other in zip(PROTOCOL.bind(NETWORK), control.bind(NETWORK), strict=True):
        assert one.count() == other.count()
        assert sorted(one.expression().tolist()) == sorted(other.expression().tolist())
        assert one.target.classes == other.target.classes
        assert one.stimulus.opsin == other.stimulus.opsin
        assert one.stimulus.light == other.stimulus.light
        assert one.stimulus.rule == other.stimulus.rule
    doses = [[row["dose"] for row in ran(protocol)[1].rows()] for protocol in (PROTOCOL, control)]
    assert doses[0] == doses[1]


def test_random_units_derive_from_the_seed():
    draws = [reached(random_units(PROTOCOL, PROTOCOL.bind(NETWORK), seed)) for seed in (0, 0, *range(1, 9))]
    assert draws[0] == draws[1]
    assert len({str(draw) for draw in draws}) > 4


def test_random_heads():
    network = AttentionOnlyTransformer(16, 5)
    line = {"target": {"site": "blocks.*.attention.v", "heads": [0, 3], "units": ["0:4"]}, "opsin": "silence"}
    control = controls_of(Protocol.build([line]), network).protocols["random_units"]
    assert [stimulus.name for stimulus in control.stimuli] == [
        "silence@blocks.0.attention.v",
        "silence@blocks.1.attention.v",
    ]
    for stimulus in control.stimuli:
        assert len(set(stimulus.target.heads) - {0, 3}) == 2
        assert stimulus.target.units == ("0:4",)
    assert control.stimuli[0].target.heads != control.stimuli[1].target.heads


def test_too_few_others_are_filled_up_with_own_units():
    protocol = Protocol.build([{"target": {"site": "hidden_1.post", "units": [0, 1, 2]}, "opsin": "silence"}])
    chosen = reached(controls_of(protocol, NETWORK).protocols["random_units"])[0]
    assert len(chosen) == 3
    assert 3 in chosen


def test_values_go_along_with_the_units():
    vector = [float(number) for number in range(1, 13)]
    lines = [
        {"target": {"site": "hidden_0.post", "units": [0, 5]}, "opsin": {"kind": "steer", "vector": vector}},
        {"target": {"site": "hidden_0.pre", "units": [0, 5]}, "opsin": {"kind": "clamp", "value": vector}},
        {"target": {"site": "hidden_1.post"}, "opsin": {"kind": "steer", "vector": [1.0, 2.0, 4.0, 8.0]}},
    ]
    protocol = Protocol.build(lines)
    steer, clamp, whole = controls_of(protocol, NETWORK).protocols["random_units"].stimuli
    for values, units in ((steer.opsin.vector, steer.target.units), (clamp.opsin.level, clamp.target.units)):
        assert [values[unit] for unit in units] == [1.0, 6.0]
        assert sorted(values) == vector
    # all units have been reached: the same vector in another direction
    assert sorted(whole.opsin.vector) == [1.0, 2.0, 4.0, 8.0]
    assert whole.opsin.vector != (1.0, 2.0, 4.0, 8.0)


def at_site(protocol):
    """The activation at the one site of a protocol, as it is in full light, and as it is in none."""
    (bound,) = protocol.bind(NETWORK)
    seen = []
    conductor = Conductor(protocol, NETWORK)
    for lit in (True, False):
        if lit:
            conductor.install()
            conductor.begin(Clock(), {"input": torch.ones(2, 6)})
        module = NETWORK.get_submodule(bound.site.path)
        handle = module.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
        NETWORK(torch.ones(2, 6))
        handle.remove()
        conductor.remove()
    return seen


@pytest.mark.parametrize(
    "opsin",
    [
        {"kind": "drive", "amount": 1.5},
        {"kind": "steer", "vector": [1.0, -2.0, 0.5, 3.0]},
        {"kind": "shunt", "gain": 0.25},
    ],
)
def test_the_opposite_sign_moves_the_other_way_as_far(opsin):
    protocol = Protocol.build([{"target": "hidden_1.pre", "opsin": opsin}])
    control = controls_of(protocol, NETWORK).protocols["opposite_sign"]
    assert [stimulus.target for stimulus in control.stimuli] == [stimulus.target for stimulus in protocol.stimuli]
    (forth, plain), (back, same) = at_site(protocol), at_site(control)
    assert torch.equal(plain, same)
    assert (forth - plain).abs().max() > 0.01
    torch.testing.assert_close(forth - plain, plain - back)


def test_twice_the_opposite_is_the_opsin():
    vector = {"kind": "steer", "vector": [1.0, -2.0]}
    mappings = [
        {"kind": "drive", "amount": 2.0},
        {"kind": "clamp", "value": [1.0, -2.0]},
        {"kind": "shunt", "gain": 0.5},
    ]
    for value in [*mappings, vector, {"kind": "induction", "strength": 0.75}]:
        opsin = build_opsin(value)
        assert opposite(opsin) != opsin
        assert opposite(opposite(opsin)) == opsin


def test_opsins_without_an_opposite_say_so():
    for kind in set(OPSINS) - {"drive", "steer", "shunt", "clamp", "induction"}:
        examples = {"noise": {"sigma": 1.0}, "copy": {"site": "s"}, "copy_scores": {"site": "s", "head": 0}}
        examples["subspace"] = {"basis": [1.0, 0.0]}
        with pytest.raises(InputError, match=f"opsin {kind} has no opposite sign"):
            opposite(build_opsin({"kind": kind, **examples.get(kind, {})}))
    with pytest.raises(InputError, match="opsin clamp has no opposite sign"):
        opposite(build_opsin({"kind": "clamp", "value": "mean"}))


def test_release_is_the_same_light_until_it_goes_out():
    control = controls_of(PROTOCOL, NETWORK, release=6).protocols["release"]
    (outputs, record), (expected, _) = ran(control), ran(PROTOCOL)
    plain, _ = ran(CONTROL["sham"])
    assert torch.equal(outputs[:6], expected[:6])
    assert torch.equal(outputs[6:], plain[6:])
    assert not torch.equal(outputs[:6], plain[:6])
    assert record.rows()[0]["steps"] == "2 every 3 steps, 2 times"
    # half-way through the window from 2 to 10
    assert CONTROL["release"] == PROTOCOL.with_light_until(6) == control


@pytest.mark.parametrize(
    ("line", "omitted", "reason"),
    [
        ({"opsin": "silence"}, "opposite_sign", r"stimulus 1 \(silence at hidden_0.post\): .*no opposite sign"),
        ({"opsin": "silence"}, "random_units", "stimulus 1 .*reaches every unit of the site"),
        ({"opsin": "silence"}, "release", "its light has no end in steps; say from which step on"),
        ({"opsin": "silence", "light": {"window": {"stop": 3, "unit": "epochs"}}}, "release", "no end in steps"),
        ({"opsin": "lesion", "light": {"window": [0, 10]}}, "release", "opsin lesion is permanent"),
    ],
)
def test_a_control_that_does_not_exist_is_left_out_with_its_reason(line, omitted, reason):
    protocol = Protocol.build([{"target": "hidden_0.post", **line}])
    controls = controls_of(protocol, NETWORK)
    assert omitted not in controls.protocols
    assert set(controls.protocols) | set(controls.omitted) == set(CONTROLS)
    assert re.search(reason, controls.omitted[omitted])


def test_a_release_before_the_light_is_none():
    controls = controls_of(PROTOCOL, NETWORK, release=2)
    assert "light never shines" in controls.omitted["release"]


def test_a_subspace_depends_on_which_unit_is_which():
    line = {"target": {"site": "hidden_1.post", "units": [0]}, "opsin": {"kind": "subspace", "basis": [1.0, 0, 0, 0]}}
    assert "depends on which unit is which" in controls_of(Protocol.build([line]), NETWORK).omitted["random_units"]


def test_a_protocol_that_does_not_fit_has_no_controls():
    with pytest.raises(InputError, match=r"units is \[12\]"):
        controls_of(Protocol.build([{"target": {"site": "hidden_0.post", "units": [12]}, "opsin": "silence"}]), NETWORK)
