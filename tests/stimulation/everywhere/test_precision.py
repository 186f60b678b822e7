"""Reduced precision: a stimulus never changes the type of an activation, and still writes what it says."""

import pytest
import torch
from lab import LabTask, fitted, loader_of, network_of

OPSINS = {
    "silence": "silence",
    "clamp": {"kind": "clamp", "value": 0.3},
    "drive": {"kind": "drive", "amount": 2.0, "unit": "sigma"},
    "shunt": {"kind": "shunt", "gain": 0.3},
    "noise": {"kind": "noise", "sigma": 0.5, "unit": "sigma"},
    "resample": "resample",
}


class Types:
    """Note the types that reach a module, and whether they are as without stimulus."""

    def __init__(self, network):
        self.seen = {}
        for name in ("hidden", "activation", "readout"):
            network.get_submodule(name).register_forward_pre_hook(self.noting(name), prepend=True)

    def noting(self, name):
        def note(_module, inputs):
            self.seen.setdefault(name, set()).add(inputs[0].dtype)

        return note


def typed_run(folder, precision, protocol):
    task = LabTask(network_of(), optimizer=torch.optim.SGD)
    types = Types(task.network)
    fitted(folder, protocol=protocol, task=task, loader=loader_of(), precision=precision, max_steps=3)
    return types.seen, task


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("gradient", [None, "pass", {"kind": "scaled", "factor": 0.1}], ids=str)
def test_types_downstream_are_kept(tmp_path, precision, gradient):
    protocol = [
        {"target": {"site": site}, "opsin": opsin, "gradient": gradient, "light": {"strength": 0.5, "probability": 0.5}}
        for site in ("hidden", "mixed")
        for name, opsin in OPSINS.items()
        if name not in ("silence", "clamp")
    ]
    plain, _ = typed_run(tmp_path, precision, None)
    found, task = typed_run(tmp_path, precision, protocol)
    assert found == plain
    assert torch.bfloat16 in found["activation"]
    assert torch.isfinite(torch.tensor(task.losses)).all()


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
@pytest.mark.parametrize(("name", "value"), [("silence", 0.0), ("clamp", 0.3)])
def test_clamps_write_the_rounded_value(tmp_path, precision, name, value):
    task = LabTask(network_of())
    seen = []
    task.network.readout.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    protocol = [{"target": {"site": "activation", "units": [1, 2]}, "opsin": OPSINS[name]}]
    fitted(tmp_path, protocol=protocol, task=task, loader=loader_of(), precision=precision, max_steps=1)
    assert seen[0].dtype == torch.bfloat16
    assert (seen[0][:, 1:3] == torch.tensor(value, dtype=torch.bfloat16)).all()
    assert (seen[0][:, 3:] != torch.tensor(value, dtype=torch.bfloat16)).any()
