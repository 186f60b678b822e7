"""Several modalities under a real Trainer: training, stopping and resuming, two processes, simulated slides."""

import sys
from pathlib import Path

import pytest
import torch
from axonlight.datamodules import MultimodalSurvival
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy
from multimodal_network import task_for

TESTS = str(Path(__file__).parents[2])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)


def data_of(folder, **options):
    chosen = {"slides": str(folder / "slides"), "covariates": ["age", "stage"], "fold": 1, "batch_size": 8}
    return MultimodalSurvival(str(folder), **{**chosen, "require": [], "shuffle_seed": 3, **options})


def trainer(folder, **options):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    defaults = {"max_epochs": 2, "num_sanity_val_steps": 0, "enable_checkpointing": False}
    return Trainer(default_root_dir=folder, **{**quiet, **defaults, **options})


class StopWithin(Callback):
    """Save a checkpoint within an epoch, and die."""

    def __init__(self, path, step):
        self.path, self.step = path, step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            raise KeyError("killed")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(folder, tmp_path, num_workers):
    options = {"max_patches": 3, "num_workers": num_workers}
    whole = task_for(data_of(folder))
    trainer(tmp_path, max_epochs=3).fit(whole, data_of(folder, **options))
    stop = StopWithin(tmp_path / "stopped.ckpt", step=7)  # five batches in an epoch
    with pytest.raises(KeyError, match="killed"):
        trainer(tmp_path, max_epochs=3, callbacks=[stop]).fit(task_for(data_of(folder)), data_of(folder, **options))
    resumed = task_for(data_of(folder))
    trainer(tmp_path, max_epochs=3).fit(resumed, data_of(folder, **options), ckpt_path=tmp_path / "stopped.ckpt")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_two_processes_score_as_one(folder, tmp_path):
    """Ranks have bags of different sizes; every patient is scored once, by one of them."""
    data, task = data_of(folder), task_for(data_of(folder))
    alone = trainer(tmp_path).test(task, data, verbose=False)[0]
    both = trainer(tmp_path, strategy=DDPStrategy(start_method=forked.CONTEXT.get_start_method()), devices=2).test(
        task, data_of(folder), verbose=False
    )[0]
    assert alone.keys() == both.keys()
    assert 0 < alone["test/c_index"] < 1
    assert both["test/c_index"] == alone["test/c_index"]
    assert both["test/loss"] == pytest.approx(alone["test/loss"], rel=1e-6)


def test_simulated_slides_are_written_when_they_are_needed(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sets = "REPAIR,DEATH\nG0,G3\nG1,G4\nG2,G5\n"
    (folder / "sets.csv").write_text(sets)
    options = {
        "slides": None,
        "hierarchy": {"reader": "signatures", "path": "sets.csv"},
        "simulate": {"num_features": 5, "num_prototypes": 4, "links": ["DEATH"], "patches": [3, 6]},
    }
    data = data_of(folder, **options)
    assert data.num_patch_features == 5
    assert not (tmp_path / "cache").exists()  # nothing is written at construction
    task = task_for(data)
    trainer(tmp_path).fit(task, data)
    assert data.simulated.links == ((0, "DEATH"),)
    assert data.slides is not None
    assert data.slides.index.folder.parent == tmp_path / "cache" / "axonlight" / "simulated_slides"
    # Who has expression has slides, as many as the metadata name.
    assert (data.members.present[:, 0] == data.members.present[:, 1]).all()
    assert [slide.name for slide in data.slides.index.files["TCGA-02"]] == ["TCGA-02-DX0", "TCGA-02-DX1"]
    before = {path: path.stat().st_mtime_ns for path in data.slides.index.folder.iterdir()}
    again = MultimodalSurvival(**data.hparams)
    again.prepare_data()
    assert {path: path.stat().st_mtime_ns for path in again.slides.index.folder.iterdir()} == before
    # Another fold trains on the same slides; another setting makes others.
    assert data_of(folder, **{**options, "fold": 2}).slides.index.folder == data.slides.index.folder
    other = data_of(folder, **{**options, "simulate": {**options["simulate"], "seed": 1}})
    assert other.slides.index.folder != data.slides.index.folder
    views = data.floor_views()
    assert views["pathway_means"][0].shape == (len(data.rows.train), 2)
