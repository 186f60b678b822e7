"""A config is input from somewhere: what it may name is limited, and only the command line can add to it."""

import subprocess
import sys

import pytest
import torch
import yaml

from .conftest import BASE

HOSTILE = {
    "function as network": {"model": {"class_path": "ClassificationTask", "init_args": {"network": "os.abort"}}},
    "class as model": {"model": {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "canary"]}}},
    "function as optimizer": {
        "model": {
            "class_path": "ClassificationTask",
            "init_args": {"network": "DenseNetwork", "optimizer": "os.system"},
        }
    },
    "hook of a callback": {
        "trainer": {
            "callbacks": [
                {"class_path": "lightning.pytorch.callbacks.LambdaCallback", "init_args": {"on_fit_start": "os.abort"}}
            ]
        }
    },
    "class of the working directory": {"data": {"class_path": "canary_module.Data"}},
    "activation": {
        "model": {
            "class_path": "ClassificationTask",
            "init_args": {
                "network": {
                    "class_path": "DenseNetwork",
                    "init_args": {"activation": {"class_path": "subprocess.Popen", "init_args": {"args": ["true"]}}},
                }
            },
        }
    },
    "import granted by itself": {"allow_imports": ["canary_module"], "data": {"class_path": "canary_module.Data"}},
    "python tag": "!!python/object/apply:os.system ['touch canary']",
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_config_is_refused_and_runs_nothing(axonlight, tmp_path, attack):
    (tmp_path / "canary_module.py").write_text("open('canary', 'w').close()\nclass Data: pass\n")
    content = HOSTILE[attack]
    (tmp_path / "hostile.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    run = axonlight("fit", *BASE, "--config", "hostile.yaml")
    assert run.code == 2
    assert run.err.count("axonlight: error:") == 1
    assert "Traceback" not in run.err
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "runs").exists()


OWN_NETWORK = """
import torch
class OwnNetwork(torch.nn.Linear):
    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
"""


def test_named_package_is_allowed_from_the_command_line(axonlight, tmp_path):
    (tmp_path / "own_network_module.py").write_text(OWN_NETWORK)
    arguments = ["fit", *BASE, "--model.network", "own_network_module.OwnNetwork"]
    refused = axonlight(*arguments)
    assert refused.code == 2
    assert "--allow_imports own_network_module" in refused.err
    allowed = axonlight(*arguments, "--allow_imports", "own_network_module")
    assert allowed.code == 0, allowed.err


def test_missing_package_is_one_sentence(axonlight):
    run = axonlight("fit", *BASE, "--allow_imports", "no_such_package")
    assert run.code == 2
    assert "no_such_package" in run.err


def test_file_named_like_a_library_cannot_shadow_it(tmp_path):
    for name in ("rich", "lightning", "yaml"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    command = [sys.executable, "-m", "axonlight", "fit", *BASE, "--trainer.max_epochs", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "fit finished" in done.stdout
    assert "shadowed" not in done.stdout + done.stderr


def test_malicious_checkpoint_is_refused(axonlight, tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "canary"), "w"))

    torch.save({"state_dict": {}, "payload": Payload()}, tmp_path / "evil.ckpt")
    run = axonlight("test", "--ckpt_path", "evil.ckpt")
    assert run.code == 2
    assert "cannot be read" in run.err
    assert not (tmp_path / "canary").exists()
