"""Runs that fail: exit codes, and what is said."""

import signal
import time

import pytest
import torch
from axonlight.models import ClassificationTask, DenseNetwork
from axonlight.models.tasks.non_finite import describe_non_finite

from .conftest import BASE


def test_non_finite_loss_ends_the_run_as_failed_and_names_the_layer(axonlight):
    optimizer = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "1e30"]
    norm = ["--model.network.norm", "none", "--model.network.activation", "formula(x**3)"]
    run = axonlight("fit", *BASE, *optimizer, *norm)
    assert run.code == 3
    assert "the training loss is" in run.err
    assert "network.layers." in run.err
    assert "finished" not in run.out


def test_first_bad_layer_is_named():
    task = ClassificationTask(DenseNetwork, in_features=4)
    with torch.no_grad():
        task.network.layers[3].weight[0, 0] = torch.nan
    text = describe_non_finite(task, (torch.randn(8, 4), torch.zeros(8)))
    assert "'network.layers.3 (Linear)'" in text
    assert "1 parameter is not finite (network.layers.3.weight)" in text
    with torch.no_grad():
        for parameter in task.network.parameters():
            parameter.fill_(torch.nan)
    number = len(list(task.network.parameters()))
    text = describe_non_finite(task, (torch.randn(8, 4), torch.zeros(8)))
    assert f"{number} parameters are not finite (network.layers.0.weight, " in text
    assert text.endswith(f" and {number - 5} more)")  # a large network fills no screen


def test_parameter_without_gradient_fails_and_is_named(axonlight, tmp_path):
    (tmp_path / "forgetful_module.py").write_text(
        "import torch\n"
        "class Forgetful(torch.nn.Linear):\n"
        "    def __init__(self, in_features: int, out_features: int):\n"
        "        super().__init__(in_features, out_features)\n"
        "        self.forgotten = torch.nn.Parameter(torch.zeros(1))\n"
    )
    run = axonlight(
        "fit", *BASE, "--allow_imports", "forgetful_module", "--model.network", "forgetful_module.Forgetful"
    )
    assert run.code == 3
    assert "without a gradient in the first 3 steps: forgotten" in run.err


def test_parameter_created_later_fails_and_is_named(axonlight, tmp_path):
    (tmp_path / "late_module.py").write_text(
        "import torch\n"
        "class Late(torch.nn.Linear):\n"
        "    def __init__(self, in_features: int, out_features: int):\n"
        "        super().__init__(in_features, out_features)\n"
        "    def forward(self, x):\n"
        "        if not hasattr(self, 'late'):\n"
        "            self.late = torch.nn.Parameter(torch.ones(1))\n"
        "        return super().forward(x) * self.late\n"
    )
    run = axonlight("fit", *BASE, "--allow_imports", "late_module", "--model.network", "late_module.Late")
    assert run.code == 3
    assert "in no optimizer group: late" in run.err


def test_unexpected_failure_leaves_a_traceback_in_the_run_folder(axonlight, tmp_path):
    (tmp_path / "broken_module.py").write_text(
        "import torch\n"
        "class Broken(torch.nn.Linear):\n"
        "    def __init__(self, in_features: int, out_features: int):\n"
        "        super().__init__(in_features, out_features)\n"
        "    def forward(self, x):\n"
        "        raise KeyError('lost')\n"
    )
    run = axonlight("fit", *BASE, "--allow_imports", "broken_module", "--model.network", "broken_module.Broken")
    assert run.code == 3
    assert "Traceback" not in run.err
    assert "KeyError: 'lost'" in (run.run_folder / "traceback.txt").read_text()


@pytest.mark.slow
def test_sigterm_saves_and_exits_143_and_the_run_resumes_as_if_never_stopped(child, axonlight, tmp_path):
    settings = [*BASE, "--data.batch_size", "32", "--model.network.dropout", "0.3", "--model.network.activation", "ash"]
    process = child("fit", *settings, "--trainer.max_epochs", "100000")
    last = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "finished" not in out
    stopped = torch.load(last, weights_only=True)
    epochs = stopped["epoch"] + 2
    resumed = axonlight("fit", *settings, "--trainer.max_epochs", epochs, "--ckpt_path", last)
    assert resumed.code == 0, resumed.err
    straight = axonlight("fit", *settings, "--trainer.max_epochs", epochs)
    assert straight.code == 0, straight.err
    one, other = (
        torch.load(tmp_path / f"runs/version_{number}/checkpoints/last.ckpt", weights_only=True) for number in (1, 2)
    )
    assert one["global_step"] == other["global_step"] == 13 * epochs
    for name, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][name]), name
    assert resumed.metric("train/loss") == straight.metric("train/loss")
