"""Where no light falls, a run is the run without a protocol, bit by bit."""

import pytest
import torch
from lab import SILENCE, LabTask, assert_same, fitted, network_of, weights

pytestmark = pytest.mark.xdist_group("zero_dose")  # its fixtures are made once

NOISE = {"target": "activation", "opsin": {"kind": "noise", "sigma": 1.0}}
EVERYWHERE = [{**NOISE, "target": site} for site in ("mixed", "hidden", "activation", "readout")]
DARK = {
    "strength 0": [SILENCE | {"light": {"strength": 0.0}}],
    "sham": [{"target": site["target"], "opsin": "sham"} for site in EVERYWHERE],
    "trigger never fires": [
        SILENCE | {"light": {"closed_loop": {"kind": "trigger", "sensor": "loss", "above": 1e9}}},
    ],
    "other phase": [stimulus | {"phases": ["test"]} for stimulus in [SILENCE, *EVERYWHERE]],
}


def dropout_task():
    return LabTask(network_of(dropout=0.4))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    torch.manual_seed(3)
    return fitted(tmp_path_factory.mktemp("untouched"), task=dropout_task(), max_steps=7)


@pytest.mark.parametrize("name", DARK)
def test_dark_run_is_bit_identical(tmp_path, untouched, name):
    torch.manual_seed(3)
    found = fitted(tmp_path, protocol=DARK[name], task=dropout_task(), max_steps=7)
    assert found.losses == untouched.losses
    for left, right in zip(found.gradients, untouched.gradients, strict=True):
        assert_same(left, right)
    assert_same(weights(found), weights(untouched))


def test_dark_steps_before_the_light_are(tmp_path, untouched):
    torch.manual_seed(3)
    lit = [stimulus | {"light": {"window": [6, 7]}} for stimulus in [SILENCE, *EVERYWHERE]]
    found = fitted(tmp_path, protocol=lit, task=dropout_task(), max_steps=7)
    assert found.losses[:6] == untouched.losses[:6]
    for left, right in zip(found.gradients[:6], untouched.gradients[:6], strict=True):
        assert_same(left, right)
    assert found.losses[6] != untouched.losses[6]
