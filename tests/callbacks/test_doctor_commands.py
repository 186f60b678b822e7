"""Doctor and report from the command line, by the shipped configs."""

import json

import pandas as pd
from axonlight.cli import main


def test_the_shipped_configs(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    short = ["--trainer.max_epochs", "3"]
    assert main(["fit", "--config", "activations/doctor.yaml", *short, "--trainer.callbacks.every_n_steps", "5"]) == 0
    assert "activations: runs/version_0/activation_doctor.csv, activation_doctor.png" in capfd.readouterr().out
    table = pd.read_csv("runs/version_0/activation_doctor.csv")
    assert table["step"].unique().tolist() == [0, 1, 2, 4, 5, 10, 15, 20]
    values = pd.read_csv("runs/version_0/activation_doctor_values.csv")
    assert values.groupby("activation")["unit"].nunique().to_dict() == {"hidden_0": 32, "hidden_1": 16}
    checkpoint = "runs/version_0/checkpoints/last.ckpt"
    again = ["fit", "--config", "activations/doctor.yaml", "--ckpt_path", checkpoint, "--trainer.max_epochs", "4"]
    assert main(again) == 0  # the checkpoint, what the doctor found included, is read with weights_only
    assert pd.read_csv("runs/version_1/activation_doctor.csv")["step"].max() == 20
    assert main(["test", "--ckpt_path", checkpoint, "--trainer.callbacks+=EfficiencyReport"]) == 0
    found = json.loads((tmp_path / "runs/version_2/efficiency.json").read_text())
    assert found["parameters"] == 1_857
    assert found["floor"]["parameters"] == 31
    assert main(["test", "--config", "activations/efficiency.yaml", "--trainer.callbacks.repeats", "0"]) == 2
    assert "repeats is 0; it must be at least 1" in capfd.readouterr().err
