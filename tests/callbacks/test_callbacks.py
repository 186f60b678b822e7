"""Callbacks without the command line: seeds of steps, finite losses, plain progress, curves."""

import random
from functools import partial

import numpy as np
import pytest
import torch
from axonlight.callbacks import FiniteLoss, PlainProgress, StepSeed, TrainingCurves
from axonlight.datamodules import BreastCancer
from axonlight.errors import RunError
from axonlight.models import ClassificationTask, DenseNetwork
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger


def train(callbacks, epochs=2, **options):
    task = ClassificationTask(partial(DenseNetwork, hidden=[4]), in_features=30)
    settings = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, **options}
    trainer = Trainer(max_epochs=epochs, callbacks=callbacks, accelerator="cpu", **settings)
    trainer.fit(task, datamodule=BreastCancer(batch_size=128))
    return trainer


class Draws(Callback):
    def __init__(self, waste=0):
        self.waste, self.drawn = waste, []

    def on_train_batch_start(self, *_args):
        self.drawn.append((float(torch.rand(())), random.random(), float(np.random.rand())))  # noqa: NPY002  (the legacy generator is what is seeded)
        torch.rand(self.waste)


def test_steps_draw_the_same_whatever_was_drawn_before(monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    runs = []
    for waste in (0, 17):
        draws = Draws(waste)
        train([StepSeed(), draws], enable_progress_bar=False)
        runs.append(draws.drawn)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0])
    monkeypatch.setenv("PL_GLOBAL_SEED", "6")
    other = Draws()
    train([StepSeed(), other], enable_progress_bar=False)
    assert other.drawn != runs[0]


class Spoil(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 2:
            with torch.no_grad():
                pl_module.network.layers[0].weight.fill_(torch.nan)


@pytest.mark.parametrize("every", [None, 3])
def test_non_finite_loss_stops_the_run(every):
    with pytest.raises(RunError, match=r"network\.layers\.0 \(Linear\)"):
        train([Spoil(), FiniteLoss(every)], enable_progress_bar=False)


def test_plain_progress_prints_one_line_an_epoch(capsys):
    train([PlainProgress()], epochs=3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("train/loss" in line and "val/loss" in line for line in lines)


def test_curves_are_drawn_with_one_point_an_epoch(tmp_path):
    curves = TrainingCurves("curves.png")
    train([curves], epochs=3, logger=CSVLogger(tmp_path, name=None), enable_progress_bar=False)
    assert (tmp_path / "version_0" / "curves.png").stat().st_size > 5_000
    assert [epoch for epoch, _ in curves.state_dict()["curves"]["val/loss"]] == [0, 1, 2]
    assert [epoch for epoch, _ in curves.state_dict()["curves"]["train/loss"]] == [0, 1, 2]
