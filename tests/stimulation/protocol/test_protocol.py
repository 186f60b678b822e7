"""Protocols as plain data: every way of writing one, and the hash that tells its content."""

import json
import random
import re
from pathlib import Path

import axonlight.configs
import pytest
import yaml
from axonlight.errors import InputError
from axonlight.models import DenseNetwork
from axonlight.stimulation.protocol import Protocol
from axonlight.stimulation.protocol.parsing import shipped_protocols
from hypothesis import given, settings
from hypothesis import strategies as st

numbers = st.integers(0, 7)
choices = st.lists(st.one_of(numbers, st.sampled_from(["query", "labels", "0:3", "R-HSA-*", "type:E"])), min_size=1)
targets = st.fixed_dictionaries(
    {"site": st.one_of(st.just("hidden_0.post"), st.lists(st.sampled_from(["a.*", "b"]), min_size=1))},
    optional={
        "units": choices,
        "heads": st.one_of(numbers, st.lists(numbers, min_size=1)),
        "positions": choices,
        "classes": st.lists(numbers, min_size=1),
        "gain": st.one_of(st.floats(0, 4), st.integers(0, 4), st.lists(st.floats(0, 4), min_size=1)),
        "fraction": st.floats(0.01, 1),
        "cell_types": st.dictionaries(st.sampled_from(["E", "I"]), st.lists(numbers, min_size=1), min_size=1),
    },
)
opsins = st.sampled_from(
    [
        "silence",
        {"kind": "silence"},
        {"kind": "drive", "amount": 2},
        {"kind": "drive", "amount": 2.5, "unit": "sigma"},
        {"kind": "shunt", "gain": 0.5},
        {"kind": "steer", "vector": [1.0, -2.0]},
        "previous_token",
        {"kind": "previous_token", "strength": 0.5},
        "sham",
        "lesion",
    ]
)
lights = st.sampled_from(
    [
        {"window": [100, 1000]},
        {"window": {"start": 100, "stop": 1000, "unit": "epochs"}, "pulse": {"period": 10, "width": 3}},
        {"probability": 0.5, "strength": 2},
        {"ramp": {"duration": 10}},
        {"closed_loop": {"kind": "trigger", "sensor": "loss", "below": 0.5}},
    ]
)
stimuli = st.fixed_dictionaries(
    {"target": targets, "opsin": opsins},
    optional={
        "light": lights,
        "gradient": st.sampled_from(["block", "natural", "pass", {"kind": "scaled", "factor": 0.1}]),
        "optimizer": st.sampled_from(["act", "freeze"]),
        "phases": st.sampled_from([["train"], ["train", "validate"], ["test", "train"], "train"]),
    },
)
protocols = st.fixed_dictionaries(
    {"stimuli": st.lists(stimuli, min_size=1, max_size=3)}, optional={"seed": st.integers(0, 2**40)}
)


def spelled_out(content):
    """The same protocol with every default written down and every key in another place."""
    protocol = Protocol.build(content)

    def shuffled(value):
        if not isinstance(value, dict):
            return value
        return {key: shuffled(value[key]) for key in random.Random(0).sample(list(value), len(value))}

    lines = []
    for line, stimulus in zip(content["stimuli"], protocol.stimuli, strict=True):
        target = {"units": None, "heads": None, "classes": None, "gain": 1.0, "fraction": None, **line["target"]}
        opsin = {"kind": line["opsin"]} if isinstance(line["opsin"], str) else line["opsin"]
        defaults = {
            "name": stimulus.name,
            "light": {"strength": 1.0, "pulse": None},
            "gradient": {"kind": stimulus.opsin.gradient},
            "optimizer": "act",
            "phases": ["train"],
        }
        light = {"strength": 1.0, **line.get("light", {})}
        lines.append(shuffled({**defaults, **line, "target": target, "opsin": opsin, "light": light}))
    return {"version": 1, "seed": content.get("seed", 0), "stimuli": lines}


@settings(max_examples=60)
@given(protocols)
def test_plain_data_and_back(content):
    protocol = Protocol.build(content)
    plain = protocol.to_dict()
    for written in (plain, json.loads(json.dumps(plain)), yaml.safe_load(yaml.safe_dump(plain)), yaml.safe_dump(plain)):
        again = Protocol.build(written)
        assert again == protocol
        assert again.hash == protocol.hash
        assert again.to_dict() == plain
    other = Protocol.build(spelled_out(content))
    assert (other, other.hash) == (protocol, protocol.hash)
    assert re.fullmatch("[0-9a-f]{16}", protocol.hash)


BASE = {"target": {"site": "hidden_0.post", "units": [0, 3]}, "opsin": {"kind": "drive", "amount": 2.0}}


@pytest.mark.parametrize(
    "change",
    [
        {"target": {"site": "hidden_1.post", "units": [0, 3]}},
        {"target": {"site": "hidden_0.post", "units": [0, 4]}},
        {"target": {"site": "hidden_0.post", "units": [0, 3], "gain": 0.5}},
        {"target": {"site": "hidden_0.post", "units": [0, 3], "classes": [1]}},
        {"opsin": {"kind": "drive", "amount": 2.5}},
        {"opsin": {"kind": "shunt", "gain": 2.0}},
        {"light": {"window": [0, 10]}},
        {"gradient": "block"},
        {"optimizer": "freeze"},
        {"phases": ["train", "test"]},
    ],
)
def test_every_change_changes_the_hash(change):
    assert Protocol.build([{**BASE, **change}]).hash != Protocol.build([BASE]).hash


def test_seed_and_order_are_part_of_the_hash():
    two = [BASE, {**BASE, "opsin": "sham"}]
    hashes = {
        Protocol.build(value).hash
        for value in (two, two[::-1], {"stimuli": two, "seed": 1}, {"stimuli": two, "seed": 0, "version": 1})
    }
    assert len(hashes) == 3


def test_the_hash_is_that_of_the_canonical_text():
    """Written out by hand: a change of it would make every stored checkpoint look like that of another protocol."""
    text = (
        '{"seed":0,"stimuli":[{"light":{},"name":"drive","opsin":{"amount":2,"kind":"drive"},'
        '"target":{"site":"hidden_0.post","units":[0,3]}}],"version":1}'
    )
    protocol = Protocol.build([BASE])
    assert json.dumps(protocol.to_dict(), sort_keys=True, separators=(",", ":")) == text
    assert protocol.hash == "fa840dc2b4a252da"


def test_a_file_the_text_of_one_and_a_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "- {target: {site: hidden_0.post, units: [1:3, -1]}, opsin: {kind: drive, amount: 1e-1}}\n"
    Path("mine.yaml").write_text(text)
    read = [Protocol.build(value) for value in ("mine.yaml", Path("mine.yaml"), text, str(tmp_path / "mine.yaml"))]
    assert len({protocol.hash for protocol in read}) == 1
    # no sexagesimal number, and a number in the plainest notation
    assert read[0].stimuli[0].target.units == ("1:3", -1)
    assert read[0].stimuli[0].opsin.amount == 0.1
    shipped = Protocol.build("pulsed_silence")
    assert shipped == Protocol.build("configs/protocols/pulsed_silence.yaml") == Protocol.build(shipped)
    Path("pulsed_silence").write_text(text)
    assert Protocol.build("pulsed_silence") == read[0]


def test_all_shipped_protocols_are_found_and_can_be_read():
    folder = Path(axonlight.configs.__path__[0]) / "protocols"
    assert {Path(path) for path in shipped_protocols().values()} == set(folder.rglob("*.yaml"))
    for name in shipped_protocols():
        Protocol.build(name)


@pytest.mark.parametrize("name", ["pulsed_silence", "ramped_drive"])
def test_shipped_protocols_fit_the_network_of_the_demo(name):
    bound = Protocol.build(name).check(DenseNetwork(30, 1, hidden=[32, 16]), totals={"steps": 210})
    assert [item.count()[0] for item in bound] == [8]


def test_names():
    lines = [BASE, {**BASE, "name": "drive_2"}, BASE, {**BASE, "opsin": "sham"}]
    assert [stimulus.name for stimulus in Protocol.build(lines).stimuli] == ["drive", "drive_2", "drive_3", "sham"]
    with pytest.raises(InputError, match="two stimuli are named 'a'"):
        Protocol.build([{**BASE, "name": "a"}] * 2)


def test_light_out_from_a_step_on():
    protocol = Protocol.build([BASE, {**BASE, "name": "late", "light": {"window": [50, 80]}}])
    released = protocol.with_light_until(60)
    assert [stimulus.light.until for stimulus in released.stimuli] == [60, 60]
    assert released.with_light_until(70) == released
    assert released.hash != protocol.hash
    assert Protocol.build(released.to_dict()) == released
    with pytest.raises(InputError, match=r"stimulus 2 \(drive at hidden_0.post\): .*until is 50"):
        protocol.with_light_until(50)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_protocol.yaml", "protocol 'no_such_protocol.yaml' is not a file; shipped protocols: "),
        ("puls_silence", "shipped protocols: pulsed_silence"),
        ("- {target: [", "the text of the protocol is no YAML"),
        ([], r"stimuli is \[\]; it must be a list of at least one stimulus"),
        ({"stimulus": []}, r"the protocol has no key 'stimulus' \(did you mean 'stimuli'\?\)"),
        ({"stimuli": [BASE], "seed": -1}, "seed is -1; it must be a whole number of at least 0"),
        ({"stimuli": [BASE], "version": 2}, "version is 2; this package understands protocols of version 1"),
        (["silence"], "stimulus 1: it is silence; it must be a mapping"),
        ([BASE, {"opsin": "silence"}], r"stimulus 2 \(silence\): it has no key target"),
        ([{"target": "v"}], r"stimulus 1 \(at v\): it has no key opsin"),
        (
            [{**BASE, "phase": "train"}],
            r"stimulus 1 \(drive at hidden_0.post\): it has no key 'phase' \(did you .*phases",
        ),
        ([{**BASE, "target": {"sight": "v"}}], r"stimulus 1 \(drive.*\): target has no key 'sight'"),
        ([{**BASE, "target": {"units": [0]}}], "target has no key site"),
        ([{**BASE, "opsin": "silense"}], r"stimulus 1 \(silense at hidden_0.post\): opsin 'silense' is unknown"),
        ([{**BASE, "opsin": {"kind": "drive"}}], r"stimulus 1 \(drive at hidden_0.post\): opsin drive has no 'amount'"),
        ([{**BASE, "light": {"windw": [0, 1]}}], r"light has no key 'windw' \(did you mean 'window'\?\)"),
        ([{**BASE, "light": {"window": [9, 3]}}], r"stimulus 1 \(drive.*\): light.window: .*never opens"),
        ([{**BASE, "gradient": "stop"}], "gradient is 'stop'; it must be one of"),
        ([{**BASE, "gradient": {"kind": "scaled", "factr": 1}}], "gradient has no key 'factr'"),
        ([{**BASE, "gradient": 3}], "gradient is 3; it must be a name or a mapping"),
        ([{**BASE, "optimizer": "hold"}], "optimizer is 'hold'; it must be one of act, freeze"),
        ([{**BASE, "phases": ["fit"]}], r"phases is \['fit'\]; it must be a list of train, validate, test, predict"),
        ([{**BASE, "phases": []}], r"phases is \[\]"),
        ([{**BASE, "phases": "test", "optimizer": "freeze"}], "optimizer is 'freeze', but phases is"),
        ([{**BASE, "name": 3}], "name is 3; it must be text"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(value, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        Protocol.build(value)
    assert "\n" not in str(caught.value)
