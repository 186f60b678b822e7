"""The closing screen and the table of predictions, on trainers that did not train."""

import shlex
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from axonlight.training.predictions import write_predictions
from axonlight.training.summary import print_summary
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trainer(folder, verb="fit", **changes):
    log_dir = str(folder / "runs" / "version_3")
    values = {
        "callback_metrics": {"val/loss": torch.tensor(0.123456), "val/auroc": torch.tensor(float("nan"))},
        "checkpoint_callbacks": [],
        "ckpt_path": None,
        "current_epoch": 7,
        "default_root_dir": str(folder / "runs"),
        "global_step": 42,
        "log_dir": log_dir,
        "loggers": [SimpleNamespace(log_dir=log_dir)],
        "state": SimpleNamespace(fn=verb),
        "world_size": 1,
    }
    return SimpleNamespace(**{**values, **changes})


def checkpoints(folder, monitor="val/loss"):
    callback = ModelCheckpoint(monitor=monitor)
    callback.best_model_path = f"{folder}/my runs/best.ckpt"
    callback.best_model_score = torch.tensor(0.25)
    callback.last_model_path = f"{folder}/my runs/last.ckpt" if monitor else ""
    return callback


def shown(capsys):
    lines = capsys.readouterr().out.strip().splitlines()
    return lines[0], dict(line.strip().split("  ", 1) for line in lines[1:])


def test_screen_of_a_fit(elsewhere, capsys):
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    callback = checkpoints(elsewhere)
    print_summary("fit", trainer(elsewhere, checkpoint_callbacks=[callback]), model, 5, 12.34)
    title, rows = shown(capsys)
    assert title == "fit finished"
    rows = {name: text.strip() for name, text in rows.items()}
    assert rows["val/loss"] == "0.1235"
    assert rows["val/auroc"] == "nan"
    assert rows["parameters"] == "8 (6 trainable)"
    assert rows["time"] == "12.3 s for 7 epochs, 42 steps"
    assert rows["seed"] == "5"
    assert rows["best checkpoint"] == "my runs/best.ckpt  (val/loss 0.2500, selected on it: optimistic)"
    assert rows["last checkpoint"] == "my runs/last.ckpt"
    assert rows["run folder"] == "runs/version_3"
    # ready to copy, spaces and all
    command = shlex.split(rows["next"])
    assert command[:3] == ["axonlight", "test", "--ckpt_path"]
    assert command[3] in ("my runs/best.ckpt", "my runs/last.ckpt")
    assert len(command) == 4


def test_screen_without_a_monitor_has_no_best(elsewhere, capsys):
    callback = checkpoints(elsewhere, monitor=None)
    print_summary("fit", trainer(elsewhere, checkpoint_callbacks=[callback]), nn.Linear(1, 1), 0, 1.0)
    _, rows = shown(capsys)
    assert "best checkpoint" not in rows
    assert rows["last checkpoint"].strip() == "my runs/best.ckpt"


def test_screen_of_a_test(elsewhere, capsys):
    path = str(elsewhere.parent / "x.ckpt")
    print_summary("test", trainer(elsewhere, "test", ckpt_path=path, loggers=[]), nn.Linear(1, 1), 0, 1.0)
    title, rows = shown(capsys)
    assert title == "test finished"
    assert rows["weights from"].strip() == path  # outside the working directory: the whole path
    assert rows["time"].strip() == "1.0 s"
    assert rows["parameters"].strip() == "2"
    assert not {"run folder", "best checkpoint", "next"} & set(rows)


def test_predictions_of_two_classes(elsewhere):
    batches = [torch.tensor([0.25, 0.5]), torch.tensor([0.75])]
    path = write_predictions(batches, trainer(elsewhere))
    assert path == elsewhere / "runs" / "version_3" / "predictions.csv"
    table = pd.read_csv(path, index_col="row")
    assert table.to_dict("list") == {"prediction": [0.25, 0.5, 0.75]}
    assert list(table.index) == [0, 1, 2]


def test_predictions_of_more(elsewhere):
    path = write_predictions(
        [torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.bfloat16)], trainer(elsewhere, log_dir=None)
    )
    assert path == elsewhere / "runs" / "predictions.csv"
    expected = {"probability_0": [0.5], "probability_1": [0.25], "probability_2": [0.25]}
    assert pd.read_csv(path, index_col="row").to_dict("list") == expected


def test_predictions_of_more_dimensions_keep_one_line_per_row(elsewhere):
    table = pd.read_csv(write_predictions([torch.arange(12.0).view(2, 3, 2)], trainer(elsewhere)), index_col="row")
    assert table.to_numpy().tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


@pytest.mark.parametrize("outputs", [None, [], ["text"]])
def test_nothing_to_write(elsewhere, outputs):
    assert write_predictions(outputs, trainer(elsewhere)) is None
    assert list(elsewhere.iterdir()) == []
