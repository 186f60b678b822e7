"""The callback from the command line: protocols of every form, mistakes, resuming without it."""

import json

import pytest
import yaml
from axonlight.cli import main

SITE = "hidden_0.post"
SILENCE = {"target": {"site": SITE, "units": [0, 1]}, "opsin": "silence"}
CONFIG = {
    "model": {"class_path": "ClassificationTask", "init_args": {"network": "DenseNetwork"}},
    "data": {"class_path": "BreastCancer", "init_args": {"batch_size": 64}},
    "trainer": {"max_epochs": 1},
}


@pytest.mark.parametrize("form", ["list", "mapping", "path"])
def test_protocols_of_every_form_pass_the_command_line(form, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stimulus = {
        **SILENCE,
        "opsin": {"kind": "drive", "amount": 2.0, "unit": "sigma"},
        "light": {"window": {"start": 1, "stop": 4}, "pulse": {"period": 2, "width": 1}},
        "gradient": {"kind": "scaled", "factor": 0.5},
        "phases": ["train", "validate"],
    }
    (tmp_path / "protocol.yaml").write_text(yaml.safe_dump([stimulus]))
    protocol = {"list": [stimulus], "mapping": {"stimuli": [stimulus], "seed": 3}, "path": "protocol.yaml"}[form]
    config = {
        **CONFIG,
        "trainer": {
            **CONFIG["trainer"],
            "callbacks": [{"class_path": "Optogenetics", "init_args": {"protocol": protocol}}],
        },
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "run.yaml", "--print_config"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["trainer"]["callbacks"][0]["init_args"]["protocol"] == protocol
    assert main(["fit", "--config", "run.yaml"]) == 0
    table = capsys.readouterr().out
    assert all(word in table for word in ("drive", "sigma", "2 in all"))
    folder = tmp_path / "runs" / "version_0"
    saved = yaml.safe_load((folder / "config.yaml").read_text())
    assert saved["trainer"]["callbacks"][0]["init_args"]["protocol"] == protocol
    assert json.loads((folder / "photostimulation.json").read_text())["stimuli"][0]["phases"]["train"]["batches"] == 2


def test_a_bad_protocol_is_the_users_mistake(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stimulus = {**SILENCE, "opsin": "silense"}
    config = {
        **CONFIG,
        "trainer": {"callbacks": [{"class_path": "Optogenetics", "init_args": {"protocol": [stimulus]}}]},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "run.yaml"]) == 2
    error = capsys.readouterr().err
    assert "stimulus 1 (silense at hidden_0.post)" in error
    assert "silence" in error
    stimulus = {**SILENCE, "target": {"site": SITE, "units": [640]}}
    config["trainer"]["callbacks"][0]["init_args"]["protocol"] = [stimulus]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "run.yaml"]) == 2
    assert "units is [640]; the site has 64 units" in capsys.readouterr().err


def test_training_goes_on_unstimulated_only_if_that_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    callbacks = [{"class_path": "Optogenetics", "init_args": {"protocol": [SILENCE]}}]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "lit.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    assert main(["fit", "--config", "run.yaml", "--config", "lit.yaml"]) == 0
    more = ["--config", "run.yaml", "--ckpt_path", "last", "--trainer.max_epochs", "2"]
    capsys.readouterr()
    assert main(["fit", *more]) == 2
    assert "was trained under protocol" in capsys.readouterr().err
    assert main(["test", *more[:4]]) == 0
    assert main(["fit", *more, "--config", "lit.yaml"]) == 0
