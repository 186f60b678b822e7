"""Activations that are computed again in the backward pass are stimulated as they were in the forward pass."""

import pytest
import torch
from lab import CLOSE, PULSED, HeadNetwork, LabTask, assert_same, fitted, weights
from lightning.pytorch import seed_everything
from torch.utils.checkpoint import checkpoint

PROTOCOL = [
    PULSED,
    {"target": "hidden", "opsin": {"kind": "noise", "sigma": 0.5}, "light": {"probability": 0.5}},
    {"target": "activation", "opsin": {"kind": "drive", "amount": 0.5, "kinetics": {"rise": 2.0}}, "gradient": "pass"},
    {
        "target": "activation:input",
        "opsin": {"kind": "shunt", "gain": 0.5},
        "light": {"closed_loop": {"kind": "trigger", "sensor": "statistic:hidden:mean", "above": -0.2, "hold": 2}},
    },
]


class Recomputed(HeadNetwork):
    """Everything up to the read-out is computed twice."""

    reentrant = None

    def __init__(self):
        super().__init__()
        self.passes = 0

    def body(self, x):
        self.passes += 1
        mixed = self.mixed(torch.stack([head(x) for head in self.heads], dim=1))
        return self.activation(self.hidden(mixed.flatten(1)))

    def forward(self, x):
        if self.reentrant is None:
            return self.readout(self.body(x))
        # the reentrant way differentiates only what depends on a differentiable input
        x = x.detach().requires_grad_()
        return self.readout(checkpoint(self.body, x, use_reentrant=self.reentrant))


def run(folder, reentrant, protocol):
    seed_everything(2, verbose=False)
    network = Recomputed().double()
    network.reentrant = reentrant
    return fitted(folder, protocol=protocol, task=LabTask(network))


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputing_changes_nothing(tmp_path, reentrant):
    plain, recomputed = (run(tmp_path, way, PROTOCOL) for way in (None, reentrant))
    assert (plain.network.passes, recomputed.network.passes) == (8, 16)
    torch.testing.assert_close(recomputed.losses, plain.losses, **CLOSE)
    for left, right in zip(recomputed.gradients, plain.gradients, strict=True):
        assert_same(left, right, **CLOSE)
    assert_same(weights(recomputed), weights(plain), **CLOSE)
    assert run(tmp_path, reentrant, None).losses != plain.losses
