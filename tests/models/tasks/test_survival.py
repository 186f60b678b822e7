"""SurvivalTask: bins of training rows, risks, curves, refusals; any network and any loss."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from axonlight.batches import MultimodalInputs
from axonlight.errors import InputError, RunError
from axonlight.metrics.survival import concordance_index
from axonlight.models import DenseNetwork, SurvivalTask
from axonlight.models.losses import cox_loss, discrete_time_nll, ranking_loss, survival_curve
from lightning.pytorch import LightningDataModule, Trainer, seed_everything
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LOSSES = ("discrete", "cox", "deephit", "mtlr")


def cohort(rows, seed):
    """Return features whose first column is the log hazard, and tied times of whom a third is censored."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 5, generator=generator)
    time = -torch.log(torch.rand(rows, generator=generator)) * torch.exp(-1.5 * x[:, 0]) * 20
    event = (torch.rand(rows, generator=generator) < 0.67).float()
    return x, torch.stack([time.clamp(0.5, 100).round(decimals=1), event], dim=1)


class Cohort(LightningDataModule):
    """Survival data of somebody else's making: plain loaders, targets and names."""

    def __init__(self, batch=32, bad_row=None):
        super().__init__()
        self.parts = {"train": cohort(96, 0), "validation": cohort(40, 1), "test": cohort(40, 2)}
        self.batch = batch
        if bad_row is not None:
            self.parts["test"][0][bad_row] = math.nan

    def survival_targets(self, part):
        return self.parts[part][1]

    def patient_names(self, part):
        return [f"{part}-{row}" for row in range(len(self.parts[part][1]))]

    def _loader(self, part):
        return DataLoader(TensorDataset(*self.parts[part]), batch_size=self.batch, shuffle=part == "train")

    def train_dataloader(self):
        return self._loader("train")

    def val_dataloader(self):
        return self._loader("validation")

    def test_dataloader(self):
        return self._loader("test")

    def predict_dataloader(self):
        return self._loader("test")


def trainer(folder, epochs=1, **options):
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=folder, **{**quiet, **options})


def dense(loss="discrete", **options):
    seed_everything(0, verbose=False)
    network = partial(DenseNetwork, hidden=[8])
    return SurvivalTask(network, 5, loss=loss, optimizer=partial(torch.optim.Adam, lr=0.02), **options)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_the_order_of_patients(tmp_path, loss):
    data, task = Cohort(), dense(loss, ranking=0.2)
    run = trainer(tmp_path, epochs=25)
    run.fit(task, datamodule=data)
    found = run.test(task, datamodule=data, verbose=False)[0]
    assert found["test/c_index"] > 0.72
    outputs = torch.cat(run.predict(task, datamodule=data))
    target = data.parts["test"][1]
    assert outputs.shape == (40, 1 + 4)
    assert found["test/c_index"] == pytest.approx(float(concordance_index(outputs[:, 0], *target.T)))
    curves = outputs[:, 1:]
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (curves.diff(dim=1) <= 0).all()
    # who is at higher risk survives less, and the mean curve is near the share that survives
    assert np.corrcoef(outputs[:, 0], curves.mean(dim=1))[0, 1] < -0.8
    assert task.prediction_names == ["risk", *(f"survival_at_{float(end):g}" for end in task.bin_ends)]


def test_bins_share_out_the_events_of_training_rows(tmp_path):
    data, task = Cohort(), dense(num_bins=5)
    trainer(tmp_path).fit(task, datamodule=data)
    time, event = data.parts["train"][1].T
    ends = np.quantile(time[event > 0].double(), [0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(task.bin_ends, ends, rtol=1e-6)
    counts = np.bincount(task.time_bin(time[event > 0]), minlength=5)
    assert counts.max() - counts.min() <= 3
    import pandas as pd

    # as published: quantiles of the events, closed on the left, the last without an end
    edges = [-np.inf, *task.bin_ends[:-1].tolist(), np.inf]
    expected = pd.cut(pd.Series(time.tolist()), edges, right=False, labels=False)
    assert task.time_bin(time).tolist() == expected.tolist()


def test_bins_travel_in_the_checkpoint(tmp_path):
    data, task = Cohort(), dense()
    run = trainer(tmp_path, enable_checkpointing=True)
    run.fit(task, datamodule=data)
    run.save_checkpoint(tmp_path / "task.ckpt")
    again = SurvivalTask.load_from_checkpoint(tmp_path / "task.ckpt", weights_only=True)
    assert torch.equal(again.bin_ends, task.bin_ends)
    other = Cohort()
    other.parts["train"] = (other.parts["train"][0], other.parts["train"][1] * torch.tensor([9.0, 1.0]))
    trainer(tmp_path).test(again, datamodule=other, verbose=False)
    assert torch.equal(again.bin_ends, task.bin_ends)


def test_losses_are_those_of_the_functions():
    x, target = cohort(16, 4)
    task = dense(bin_ends=[5.0, 20.0, 60.0], alpha=0.3, ranking=2.0)
    outputs = task(x)
    nll = discrete_time_nll(outputs, task.time_bin(target[:, 0]), target[:, 1], 0.3)
    risk = -survival_curve(outputs).sum(dim=1)
    assert torch.allclose(task.predictions(outputs), risk)
    assert torch.allclose(task.loss(outputs, target), nll + 2 * ranking_loss(risk, *target.T))
    cox = dense("cox", ties="breslow")
    outputs = cox(x)
    assert outputs.shape == (16, 1)
    assert torch.equal(cox.loss(outputs, target), cox_loss(outputs, *target.T, ties="breslow"))
    assert torch.equal(cox.predictions(outputs), outputs[:, 0])


def test_baseline_hazard_of_cox_is_that_of_breslow():
    """Without an effect it is the Nelson-Aalen estimate, counted here one time after another."""
    _, target = cohort(60, 5)
    task = dense("cox", bin_ends=[2.0, 10.0, 40.0])
    assert task.survival(torch.zeros(1, 1)).isnan().all()
    task.set_baseline(torch.zeros(60), target)
    time, event = target.double().T
    for end, found in zip((2.0, 10.0, 40.0), task.baseline_hazard.tolist(), strict=True):
        steps = [float(e) / float((time >= t).sum()) for t, e in zip(time, event, strict=True) if t <= end]
        assert found == pytest.approx(sum(steps), rel=1e-6)
    np.testing.assert_allclose(
        task.survival(torch.ones(1, 1))[0], np.exp(-math.e * task.baseline_hazard.numpy()), rtol=1e-5
    )


class TwoModalities(nn.Module):
    """A network that takes `MultimodalInputs`."""

    def __init__(self, in_features, out_features, patch_features=0, clinical_features=0):
        super().__init__()
        self.read = nn.Linear(in_features + patch_features + clinical_features, out_features)

    def forward(self, inputs):
        sums = [bag.sum(dim=0) for bag in inputs.bags.tensor_split(inputs.pointers[1:-1])]
        return self.read(torch.cat([inputs.rna, torch.stack(sums), inputs.clinical], dim=1))


class Bags(Cohort):
    """Batches of several modalities, with as many patches as the patient's number."""

    def _loader(self, part):
        x, target = self.parts[part]
        batches = []
        for rows in torch.arange(len(x)).split(self.batch):
            sizes = rows % 3
            inputs = MultimodalInputs(
                rna=x[rows, :2],
                bags=torch.ones(int(sizes.sum()), 3),
                pointers=torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)]),
                clinical=x[rows, 2:3],
                present=torch.ones(len(rows), 3, dtype=torch.bool),
            )
            batches.append((inputs, target[rows]))
        return DataLoader(batches, batch_size=None)


def test_several_modalities(tmp_path, recwarn):
    seed_everything(0, verbose=False)
    data, task = Bags(), SurvivalTask(TwoModalities, 2, patch_features=3, clinical_features=1)
    run = trainer(tmp_path)
    run.fit(task, datamodule=data)
    assert run.callback_metrics["train/loss"].isfinite()
    found = run.test(task, datamodule=data, verbose=False)[0]
    assert 0 <= found["test/c_index"] <= 1
    assert torch.cat(run.predict(task, datamodule=data)).shape == (40, 5)
    assert task.predict_step(next(iter(data.test_dataloader()))[0], 0).shape == (32, 5)
    assert not [w for w in recwarn if "batch_size" in str(w.message)]


def test_a_risk_that_is_nan_is_refused_by_name(tmp_path):
    data, task = Cohort(batch=16, bad_row=21), dense()
    run = trainer(tmp_path)
    run.fit(task, datamodule=data)
    with pytest.raises(RunError, match=r"the risk of 1 test patient is NaN \(test-21\)"):
        run.test(task, datamodule=data, verbose=False)


def test_undefined_is_nan(tmp_path):
    data, task = Cohort(), dense()
    run = trainer(tmp_path)
    run.fit(task, datamodule=data)
    data.parts["test"][1][:, 1] = 0
    found = run.test(task, datamodule=data, verbose=False)[0]
    assert math.isnan(found["test/c_index"])
    assert math.isnan(found["test/uno_c_index"])
    assert math.isfinite(found["test/loss"])


def test_batches_and_bins_that_cannot_teach_are_refused(tmp_path):
    data = Cohort(batch=1)
    data.batch_size = 1
    with pytest.raises(InputError, match=r"loss is 'cox', which compares .* but batch_size is 1 for 1 device;"):
        trainer(tmp_path).fit(dense(loss="cox"), datamodule=data)
    events = data.parts["train"][1][data.parts["train"][1][:, 1] > 0, 0]
    number = len(events.unique()) + 1
    with pytest.raises(InputError, match=f"num_bins is {number}, but the {len(events)} events .* too few to share"):
        trainer(tmp_path).fit(dense(num_bins=number), datamodule=data)


def test_without_a_data_module(tmp_path):
    loader = Cohort().train_dataloader()
    with pytest.raises(InputError, match="the data module does not tell the targets of the training rows"):
        trainer(tmp_path).fit(dense(), train_dataloaders=loader)
    task = dense(bin_ends=[5.0, 20.0, 60.0])
    run = trainer(tmp_path)
    run.fit(task, train_dataloaders=loader)
    assert "test/uno_c_index" not in run.test(task, loader, verbose=False)[0]  # it needs the training rows


def test_too_few_times_for_the_bins(tmp_path):
    data = Cohort()
    data.parts["train"][1][:, 0] = data.parts["train"][1][:, 0].clamp(3, 4).round()
    with pytest.raises(InputError, match=r"num_bins is 4, but the \d+ events among .* have 2 different times"):
        trainer(tmp_path).fit(dense(), datamodule=data)
    data.parts["train"][1][:, 1] = 0
    with pytest.raises(InputError, match="all 96 training rows are censored"):
        trainer(tmp_path).fit(dense(), datamodule=data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "coxx"}, "loss is 'coxx'; it must be one of discrete, cox, deephit, mtlr"),
        ({"num_bins": 1}, "num_bins is 1; it must be at least 2"),
        ({"alpha": 2.0}, "alpha is 2.0; it must be from 0 to 1"),
        ({"ranking": -1.0}, "ranking is -1.0; it must be 0 or a positive weight"),
        ({"ties": "exact"}, "ties is 'exact'; it must be one of efron, breslow"),
        ({"bin_ends": [5.0, 5.0]}, r"bin_ends is \[5.0, 5.0\]; it must hold positive times in ascending order"),
        ({"bin_ends": [0.0, 5.0]}, "it must hold positive times"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(InputError, match=message):
        dense(**options)
    with pytest.raises(InputError, match="the time bins are not known before the data are"):
        dense().loss(torch.zeros(2, 4), torch.ones(2, 2))


def test_replicas_are_trained_side_by_side(tmp_path):
    """The bins of all are those of the data; figures are those of a task that trains alone."""
    from axonlight.models import ReplicaTask

    data = Cohort(batch=96)
    replicas = ReplicaTask([dense(), dense()], seeds=[0, 0])
    run = trainer(tmp_path, epochs=2)
    run.fit(replicas, datamodule=data)
    run.test(replicas, datamodule=data, verbose=False)
    alone, single = dense(), trainer(tmp_path, epochs=2)
    single.fit(alone, datamodule=data)
    expected = single.test(alone, datamodule=data, verbose=False)[0]
    for result in replicas.results():
        assert result["error"] is None
        assert result["scores"]["test/loss"] == pytest.approx(expected["test/loss"], rel=1e-4)
        assert result["scores"]["test/c_index"] == pytest.approx(expected["test/c_index"], abs=0.02)
