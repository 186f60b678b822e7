"""A pulsed clamp under a trainer is what a plain loop computes in which the head is multiplied by 0."""

import pytest
import torch
from axonlight.stimulation.opsins import Clamp, Opsin, Silence
from lab import CLOSE, PULSED, LabTask, assert_same, fitted, network_of, plain_loop, weights


def pulsed(step):
    return (step - 1) % 3 < 2 and step >= 1


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_pulsed_silence_equals_a_plain_loop(tmp_path, optimizer):
    expected = plain_loop(pulsed, LabTask(network_of(dtype=torch.float64), optimizer))
    found = fitted(tmp_path, protocol=[PULSED], task=LabTask(network_of(dtype=torch.float64), optimizer))
    torch.testing.assert_close(found.losses, expected.losses, **CLOSE)
    for left, right in zip(found.gradients, expected.gradients, strict=True):
        assert_same(left, right, **CLOSE)
    assert_same(weights(found), weights(expected), **CLOSE)
    silent = [step for step, gradients in enumerate(found.gradients) if not gradients["heads.0.weight"].any()]
    assert silent == [step for step in range(8) if pulsed(step)]


def test_a_frozen_head_stays_where_it_was(tmp_path):
    """Momentum and weight decay would go on moving a head that gets no gradient."""
    task = LabTask(network_of(), torch.optim.AdamW)
    late = [PULSED | {"light": {"window": [4, None]}, "optimizer": rule} for rule in ("act", "freeze")]
    moved, frozen = (
        fitted(tmp_path, protocol=[stimulus], task=LabTask(network_of(), torch.optim.AdamW)) for stimulus in late
    )
    before = fitted(tmp_path, task=task, max_steps=4)
    assert torch.equal(frozen.network.heads[0].weight, before.network.heads[0].weight)
    assert not torch.equal(moved.network.heads[0].weight, before.network.heads[0].weight)
    assert not torch.equal(frozen.network.heads[1].weight, before.network.heads[1].weight)


CLAMPS = {
    "silence": "silence",
    "lesion": "lesion",
    "number": {"kind": "clamp", "value": -0.4},
    "list": {"kind": "clamp", "value": [0.5, -0.5, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0]},
}


@pytest.mark.parametrize("opsin", CLAMPS)
def test_full_light_takes_no_other_way(tmp_path, monkeypatch, opsin):
    """Full light that sets a constant is written by a short way in eager mode; what it does is the same bit by bit."""
    target = {"site": "activation", "units": [0, 2, 7], "gain": [1.0, 1.5, 2.0]}
    stimuli = [
        {
            "target": target,
            "opsin": CLAMPS[opsin],
            "gradient": "natural",
            "light": {"pulse": {"period": 3, "width": 1}},
        },
        {"target": "hidden", "opsin": {"kind": "drive", "amount": 0.5}, "light": {"window": [2, 6]}},
    ]
    short = fitted(tmp_path, protocol=stimuli)
    monkeypatch.setattr(Opsin, "constant", lambda *_: None)
    for kind in (Silence, Clamp):
        monkeypatch.setattr(kind, "constant", Opsin.constant)
    general = fitted(tmp_path, protocol=stimuli)
    assert short.losses == general.losses
    assert_same(weights(short), weights(general))
