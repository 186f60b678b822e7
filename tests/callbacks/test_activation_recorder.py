"""The recorder: what it writes, when it reads, that it changes nothing and leaves nothing behind."""

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.callbacks import ActivationRecorder, read_activations
from axonlight.callbacks.recording import writing
from axonlight.errors import InputError
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset


class Module(LightningModule):
    """A network of three modules; remembers what passed behind the first activation."""

    def __init__(self, checkpointed=False):
        super().__init__()
        torch.manual_seed(1)
        self.network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))
        self.checkpointed = checkpointed
        self.passed = []

    def training_step(self, batch):
        self.passed.append(self.hidden(batch[0]))
        if self.checkpointed:
            x = batch[0].requires_grad_()
            return checkpoint(self.network, x, use_reentrant=self.checkpointed == "reentrant").square().mean()
        return self.network(batch[0]).square().mean()

    def hidden(self, x):
        values = [x.detach(), *(p.detach() for p in self.network.parameters())]
        x, weight, bias = (value.double().numpy() for value in values[:3])
        return np.maximum(x @ weight.T + bias, 0)

    def validation_step(self, batch):
        self.network(batch[0])

    test_step = predict_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(rows=24, batch=4):
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(x), batch_size=batch)


def trainer_of(folder, *callbacks, **options):
    defaults = {"max_epochs": 1, "num_sanity_val_steps": 0, "enable_checkpointing": False}
    return Trainer(
        accelerator="cpu",
        logger=CSVLogger(folder, name=None, version="run"),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        **{**defaults, **options},
    )


def fit(folder, *callbacks, module=None, **options):
    module = module or Module()
    trainer = trainer_of(folder, *callbacks, **options)
    trainer.fit(module, loader(), loader(8))
    return module, trainer


def hooks_of(module):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


def expected(x, axis=0, threshold=0.0):
    return {
        "mean": x.mean(axis),
        "std": x.std(axis),
        "rms": np.sqrt((x**2).mean(axis)),
        "rate": (x > threshold).mean(axis),
        "min": x.min(axis),
        "max": x.max(axis),
    }


@pytest.mark.parametrize("destination", ["parquet", "zarr"])
@pytest.mark.parametrize(("per", "axis"), [("unit", 0), ("site", None)])
def test_statistics_are_those_of_numpy(tmp_path, destination, per, axis):
    if destination == "zarr":
        pytest.importorskip("zarr")
    names = ["mean", "std", "rms", "rate", "min", "max"]
    recorder = ActivationRecorder("1", names, 2, per=per, destination=destination, threshold=0.3)
    module, _ = fit(tmp_path, recorder)
    table = read_activations(tmp_path / "run")
    assert table["step"].drop_duplicates().tolist() == [0, 2, 4]
    assert set(table["phase"]) == {"train"}
    for step in (0, 2, 4):
        rows = table[table["step"] == step]
        for name, values in expected(module.passed[step], axis, 0.3).items():
            np.testing.assert_allclose(rows[name], values, rtol=1e-5, atol=1e-6)
        assert set(rows["count"]) == {4 if per == "unit" else 20}
    if per == "unit":
        assert table["unit"].tolist() == [0, 1, 2, 3, 4] * 3


@pytest.mark.parametrize("destination", ["parquet", "zarr"])
def test_tensors_come_back_in_their_shape(tmp_path, destination):
    if destination == "zarr":
        pytest.importorskip("zarr")
    recorder = ActivationRecorder(["1", "2:input", "0"], "tensors", 3, destination=destination)
    module, _ = fit(tmp_path, recorder)
    table = read_activations(tmp_path / "run")
    assert table["site"].tolist() == ["0", "1", "2:input"] * 2
    for step in (0, 3):
        first, second = (table[(table["step"] == step) & (table["site"] == site)].iloc[0] for site in ("1", "2:input"))
        np.testing.assert_allclose(first["values"], module.passed[step], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(first["values"], second["values"])
        assert first["shape"] == (4, 5)
        assert first["dtype"] == "float32"


@pytest.mark.parametrize("kind", [False, "reentrant", "non-reentrant"])
def test_a_recomputed_part_is_recorded_once(tmp_path, kind):
    fit(tmp_path, ActivationRecorder("1", "tensors", 2), module=Module(kind))
    table = read_activations(tmp_path / "run")
    assert table[["step", "call"]].to_numpy().tolist() == [[0, 0], [2, 0], [4, 0]]


def test_a_module_that_is_called_twice_counts_twice(tmp_path):
    class Twice(Module):
        def training_step(self, batch):
            return self.network(batch[0]).square().mean() + self.network(batch[0][:2]).mean()

    fit(
        tmp_path,
        ActivationRecorder("1", "mean", 6, filename="m"),
        ActivationRecorder("1", "tensors", 6),
        module=Twice(),
    )
    assert read_activations(tmp_path / "run", "m")["count"].tolist() == [6] * 5
    tensors = read_activations(tmp_path / "run")
    assert tensors[["call", "shape"]].to_numpy().tolist() == [[0, (4, 5)], [1, (2, 5)]]
    both = np.concatenate(tensors["values"].tolist())
    np.testing.assert_allclose(read_activations(tmp_path / "run", "m")["mean"], both.mean(0), rtol=1e-6)


def test_micro_batches_of_a_step_count_together(tmp_path):
    module, _ = fit(tmp_path, ActivationRecorder("1", ["mean", "std"], 1), accumulate_grad_batches=3)
    table = read_activations(tmp_path / "run")
    assert table["step"].drop_duplicates().tolist() == [0, 1]
    whole = np.concatenate(module.passed[:3])
    np.testing.assert_allclose(table[table["step"] == 0]["mean"], whole.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table[table["step"] == 0]["std"], whole.std(0), rtol=1e-5, atol=1e-6)
    assert set(table["count"]) == {12}


def test_phases_are_told_apart(tmp_path):
    recorder = ActivationRecorder("1", "mean", 1, phases=["train", "validate", "test"], per="site")
    module, trainer = fit(tmp_path, recorder, max_epochs=2, num_sanity_val_steps=2)
    trainer.test(module, loader(16), verbose=False)
    table = read_activations(tmp_path / "run")
    assert table.groupby("phase")["step"].apply(list).to_dict() == {
        "train": list(range(12)),
        "validate": [6, 12],
        "test": [12],
    }
    assert table["count"].tolist() == [20] * 12 + [40] * 2 + [80]
    trainer.test(module, loader(16), verbose=False)  # the same again replaces
    pd.testing.assert_frame_equal(
        *(each.drop(columns="record") for each in (read_activations(tmp_path / "run"), table))
    )


def test_a_unit_has_its_name(tmp_path):
    from axonlight.models import Site

    class Named(nn.Sequential):
        def sites(self):
            yield Site("hidden", "1", "output", ("batch", "unit"), units=tuple("abcde"))

    module = Module()
    module.network = Named(*module.network)
    fit(tmp_path, ActivationRecorder("hidden", "max", 6), module=module)
    assert read_activations(tmp_path / "run")["name"].tolist() == list("abcde")


def test_training_is_the_same_with_and_without(tmp_path):
    weights = []
    for number, callbacks in enumerate([[], [ActivationRecorder(["0", "1", "2:input"], every_n_steps=1)]]):
        module, _ = fit(tmp_path / str(number), *callbacks)
        assert hooks_of(module) == 0
        weights.append(torch.cat([value.flatten() for value in module.parameters()]))
    assert torch.equal(*weights)


def test_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_SMALL", 1)  # every writing is a file of its own
    fit(tmp_path, ActivationRecorder("1", "tensors", 1, max_bytes=2 * 4 * 5 * 4))
    files = sorted((tmp_path / "run" / "activations").iterdir())
    assert [len(pd.read_parquet(path)) for path in files] == [2, 2, 2]


def test_small_files_grow(tmp_path):
    fit(tmp_path, ActivationRecorder("1", ["mean"], 1, max_bytes=1), ActivationRecorder("1", "max", 1, filename="one"))
    assert [path.name for path in (tmp_path / "run" / "activations").iterdir()] == ["rank0-000000.parquet"]
    first, second = read_activations(tmp_path / "run"), read_activations(tmp_path / "run", "one")
    pd.testing.assert_frame_equal(first.drop(columns="mean"), second.drop(columns="max"))


def test_the_logger_gets_scalars(tmp_path):
    fit(tmp_path, ActivationRecorder(["0", "1"], ["mean", "rate"], 3, per="site", destination="logger"))
    logged = pd.read_csv(tmp_path / "run" / "metrics.csv").set_index("step")
    assert sorted(logged) == [f"activations/train/{s}/{n}" for s in "01" for n in ("mean", "rate")]
    assert logged.index.tolist() == [0, 3]
    assert logged.notna().all(axis=None)


def test_hooks_are_gone_after_an_exception(tmp_path):
    class Failing(Module):
        def training_step(self, batch, batch_idx):
            if batch_idx == 3:
                raise KeyError("at the fourth batch")
            return super().training_step(batch)

    module = Failing()
    with pytest.raises(KeyError):
        fit(tmp_path, ActivationRecorder("1", "mean", 1), module=module)
    assert hooks_of(module) == 0
    assert read_activations(tmp_path / "run")["step"].drop_duplicates().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"statistics": ["tensors", "mean"]}, "statistics has 'tensors'"),
        ({"statistics": []}, "statistics is empty"),
        ({"phases": ["fit"]}, "phases has 'fit'; known are train, validate, test, predict"),
        ({"moment": "during"}, "moment has 'during'"),
        ({"destination": "csv"}, "destination has 'csv'"),
        ({"destination": "logger"}, "takes one number per site"),
        ({"every_n_steps": 0}, "every_n_steps is 0"),
        ({"max_bytes": 0}, "max_bytes is 0"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(InputError, match=words):
        ActivationRecorder("1", **options)


def test_unknown_sites_are_refused(tmp_path):
    with pytest.raises(InputError, match="site '11' matches nothing in Sequential; the nearest are 1"):
        fit(tmp_path, ActivationRecorder("11"))


def test_zarr_that_is_missing_is_asked_for(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(InputError, match="pip install 'zarr>=3'"):
        ActivationRecorder("1", destination="zarr")


def test_a_site_that_never_fires_is_an_error(tmp_path):
    class Attending(Module):
        def __init__(self):
            super().__init__()
            self.network = nn.MultiheadAttention(4, 2)

        def training_step(self, batch):
            return self.network(batch[0], batch[0], batch[0])[0].mean()

    module = Attending()
    with pytest.raises(InputError, match=r"nothing came by at site out_proj in a recorded batch: .*functions"):
        fit(tmp_path, ActivationRecorder("out_proj"), module=module, limit_val_batches=0)
    assert hooks_of(module) == 0
