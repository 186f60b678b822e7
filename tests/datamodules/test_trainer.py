"""Under a real Trainer: stopping and resuming, checkpoints, devices, no validation, overfitting."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.datamodules import TabularData
from axonlight.errors import InputError
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

ROWS = 50  # 35 train: five batches of eight, the last one of three


class Recorder(LightningModule):
    """A model that notes the row numbers of its batches (the first, unscaled feature)."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen, self.validated, self.tested = [], [], []

    def training_step(self, batch, batch_idx):
        self.seen.append((self.current_epoch, batch_idx, batch[0][:, 0].int().tolist()))
        return (self.weight * batch[0][:, 1]).mean()

    def validation_step(self, batch, batch_idx):
        self.validated += batch[0][:, 0].int().tolist()

    def test_step(self, batch, batch_idx):
        self.tested += batch[0][:, 0].int().tolist()

    def predict_step(self, batch, batch_idx):
        return batch if isinstance(batch, torch.Tensor) else batch[0]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class StopAfter(Callback):
    """Save a checkpoint after a number of batches, and die."""

    def __init__(self, batches, path, hook):
        self.batches, self.path, self.hook = batches, path, hook

    def _maybe(self, trainer, hook):
        if hook == self.hook and trainer.global_step == self.batches:
            trainer.save_checkpoint(self.path)
            raise KeyError("killed")

    def on_train_batch_end(self, trainer, *args):
        self._maybe(trainer, "batch")

    def on_train_epoch_end(self, trainer, *args):
        self._maybe(trainer, "epoch")

    def on_validation_end(self, trainer, *args):
        self._maybe(trainer, "validation")


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"row": np.arange(ROWS), "value": rng.normal(size=ROWS), "y": np.arange(ROWS) % 2})
    frame.to_csv(tmp_path / "table.csv", index=False)
    return str(tmp_path / "table.csv")


def _data(table, **options):
    return TabularData(table, **{"batch_size": 8, "scale": "none", "shuffle_seed": 5, **options})


def _trainer(tmp_path, **options):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    defaults = {"max_epochs": 3, "num_sanity_val_steps": 0, "enable_checkpointing": False}
    return Trainer(default_root_dir=tmp_path, **{**quiet, **defaults, **options})


@pytest.mark.parametrize(
    ("batches", "hook", "options"),
    [
        (1, "batch", {}),
        (4, "batch", {}),
        (7, "batch", {}),
        (5, "batch", {}),
        (5, "epoch", {}),
        (5, "validation", {}),
        (10, "epoch", {}),
        (8, "batch", {"limit_train_batches": 3}),
        (6, "epoch", {"limit_train_batches": 3}),
        (2, "validation", {"val_check_interval": 2}),
    ],
)
def test_resuming_equals_not_stopping(table, tmp_path, batches, hook, options):
    whole = Recorder()
    _trainer(tmp_path, **options).fit(whole, datamodule=_data(table))
    path = tmp_path / "stopped.ckpt"
    stopped = Recorder()
    trainer = _trainer(tmp_path, callbacks=[StopAfter(batches, path, hook)], **options)
    with pytest.raises(KeyError, match="killed"):
        trainer.fit(stopped, datamodule=_data(table))
    resumed = Recorder()
    _trainer(tmp_path, **options).fit(resumed, datamodule=_data(table), ckpt_path=path)
    assert len(stopped.seen) == batches
    assert stopped.seen + resumed.seen == whole.seen
    per_epoch = options.get("limit_train_batches", 5)
    assert len(whole.seen) == 3 * per_epoch
    if per_epoch == 5:
        for number in range(3):
            rows = [row for epoch, _, batch in whole.seen if epoch == number for row in batch]
            assert sorted(rows) == sorted(_data(table).rows.train.tolist())
    assert torch.equal(resumed.weight, whole.weight)


def test_the_checkpoint_holds_position_and_fitted_values(table, tmp_path):
    path = tmp_path / "stopped.ckpt"
    data = _data(table, scale="standard")
    with pytest.raises(KeyError):
        _trainer(tmp_path, callbacks=[StopAfter(7, path, "batch")]).fit(Recorder(), datamodule=data)
    checkpoint = torch.load(path, weights_only=True)
    (position,) = checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    assert (position["epoch"], position["fetched"]) == (1, 2)
    assert checkpoint["TabularData"]["fitted"] == data.fitted_state()
    assert checkpoint["datamodule_hyper_parameters"]["batch_size"] == 8
    again = TabularData.load_from_checkpoint(path, weights_only=True)
    assert np.array_equal(again.rows.train, data.rows.train)


def test_other_batches_cannot_be_resumed_inside_an_epoch(table, tmp_path):
    path = tmp_path / "stopped.ckpt"
    with pytest.raises(KeyError):
        _trainer(tmp_path, callbacks=[StopAfter(7, path, "batch")]).fit(Recorder(), datamodule=_data(table))
    with pytest.raises(InputError, match="inside an epoch with batch_size 8"):
        _trainer(tmp_path).fit(Recorder(), datamodule=_data(table, batch_size=16), ckpt_path=path)


def _fitted_checkpoint(table, tmp_path, **options):
    saver = ModelCheckpoint(dirpath=tmp_path, filename="done")
    trainer = _trainer(tmp_path, max_epochs=1, callbacks=[saver], enable_checkpointing=True)
    trainer.fit(Recorder(), datamodule=_data(table, **options))
    return tmp_path / "done.ckpt"


def test_new_rows_are_encoded_with_the_values_of_the_checkpoint(table, tmp_path):
    path = _fitted_checkpoint(table, tmp_path, scale="standard")
    fitted = _data(table, scale="standard").fitted_state()
    mean, scale = np.array(fitted["mean"]), np.array(fitted["scale"])
    new = np.array([[0.0, 1.0], [100.0, 2.0]])
    (tmp_path / "new.csv").write_text("value,row\n1,0\n2,100\n")
    # another split: only the checkpoint knows what the network was trained with
    data = _data(table, scale="standard", split_seed=9, predict_path=str(tmp_path / "new.csv"))
    assert data.fitted_state()["mean"] != mean.tolist()
    with pytest.warns(UserWarning, match="not trained on the training rows"):
        (x,) = _trainer(tmp_path).predict(Recorder(), datamodule=data, ckpt_path=path, weights_only=True)
    assert x.numpy().tolist() == ((new - mean) / scale).astype(np.float32).tolist()


def test_all_rows_are_predicted_in_order(table, tmp_path):
    batches = _trainer(tmp_path).predict(Recorder(), datamodule=_data(table))
    assert torch.cat(batches)[:, 0].int().tolist() == list(range(ROWS))


def test_testing_on_another_split_is_called_out(table, tmp_path, recwarn):
    path = _fitted_checkpoint(table, tmp_path)
    _trainer(tmp_path).test(Recorder(), datamodule=_data(table), ckpt_path=path)
    assert not [warning for warning in recwarn if "not trained on the training rows" in str(warning.message)]
    with pytest.warns(UserWarning, match="not trained on the training rows"):
        _trainer(tmp_path).test(Recorder(), datamodule=_data(table, split_seed=1), ckpt_path=path)


def test_a_checkpoint_of_other_columns_is_refused(table, tmp_path):
    path = _fitted_checkpoint(table, tmp_path)
    with pytest.raises(InputError, match="fitted to 2 features and the table has 1"):
        _trainer(tmp_path).test(Recorder(), datamodule=_data(table, numeric=["value"]), ckpt_path=path)


def test_no_validation_rows_no_validation(table, tmp_path, recwarn):
    model = Recorder()
    _trainer(tmp_path, num_sanity_val_steps=2).fit(model, datamodule=_data(table, val_fraction=0))
    assert model.validated == []
    assert len(model.seen) == 15
    assert not [warning for warning in recwarn if "is zero" in str(warning.message)]


def test_evaluation_sees_each_row_once(table, tmp_path):
    model, data = Recorder(), _data(table)
    trainer = _trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data)
    assert sorted(model.validated) == sorted(data.rows.validation.tolist())
    assert sorted(model.tested) == sorted(data.rows.test.tolist())


def test_overfit_batches_repeats_the_same_rows(table, tmp_path):
    model = Recorder()
    _trainer(tmp_path, overfit_batches=2).fit(model, datamodule=_data(table))
    epochs = [[rows for epoch, _, rows in model.seen if epoch == number] for number in range(3)]
    assert epochs[0] == epochs[1] == epochs[2]


DISTRIBUTED = """
import json, sys
sys.path.insert(0, {here!r})
from test_trainer import Recorder, _data, _trainer

if __name__ == "__main__":
    model, data = Recorder(), _data({table!r}, batch_size=9)
    trainer = _trainer({out!r}, devices=2, strategy="ddp", max_epochs=2)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data)
    with open({out!r} + f"/rank{{trainer.global_rank}}.json", "w") as stream:
        json.dump([model.seen, model.validated, model.tested, model.weight.item()], stream)
"""


def test_two_processes_share_the_rows(table, tmp_path):
    import json

    script = tmp_path / "distributed.py"
    script.write_text(DISTRIBUTED.format(here=str(Path(__file__).parent), table=table, out=str(tmp_path)))
    forked.run_ranks(script, tmp_path)
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2)]
    alone, data = Recorder(), _data(table, batch_size=9)
    _trainer(tmp_path, max_epochs=2).fit(alone, datamodule=data)
    assert [len(rank[0]) for rank in ranks] == [len(alone.seen)] * 2 == [8, 8]
    for (epoch, step, rows), *parts in zip(alone.seen, *(rank[0] for rank in ranks), strict=True):
        assert [part[:2] for part in parts] == [[epoch, step]] * 2
        assert parts[0][2] + parts[1][2] == rows
    # validation ran once an epoch
    assert sorted(ranks[0][1] + ranks[1][1]) == sorted(data.rows.validation.tolist() * 2)
    assert sorted(ranks[0][2] + ranks[1][2]) == sorted(data.rows.test.tolist())
    assert ranks[0][3] == ranks[1][3]
