"""The recorder beside stimulation, several ranks, compilers and resumed runs; what it costs on ordinary steps."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.callbacks import ActivationRecorder, Optogenetics, read_activations
from axonlight.callbacks.recording import Gate
from axonlight.models import DenseNetwork
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from torch.optim.swa_utils import get_ema_avg_fn
from torch.utils.data import DataLoader, TensorDataset

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

HIDDEN = "hidden_0.post"


class Module(LightningModule):
    def __init__(self, compiled=False):
        super().__init__()
        torch.manual_seed(1)
        self.network = DenseNetwork(4, 1, hidden=[5], activation="relu", norm="none")
        if compiled:
            self.network.compile(backend="eager")

    def training_step(self, batch, batch_idx=0):
        return self.network(batch[0]).square().mean()

    def validation_step(self, batch, batch_idx=0):
        self.network(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(batch=4, alike=False):
    x = torch.randn(24, 4, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(x[:1].expand(24, 4) if alike else x), batch_size=batch)


def fit(folder, *callbacks, module=None, resume=None, batch=4, alike=False, **options):
    module = module or Module()
    defaults = {"max_epochs": 1, "enable_checkpointing": False, "num_sanity_val_steps": 0}
    trainer = Trainer(
        accelerator="cpu",
        logger=CSVLogger(folder, name=None, version="run"),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        **{**defaults, **options},
    )
    trainer.fit(module, loader(batch, alike), loader(2 * batch, alike), ckpt_path=resume)
    return module, trainer


SILENCE = [{"target": {"site": HIDDEN, "units": [0, 2]}, "opsin": {"kind": "clamp", "value": 7.0}}]


@pytest.mark.parametrize("order", [1, -1])
def test_before_and_after_a_clamp_whoever_comes_first(tmp_path, order):
    recorders = [
        ActivationRecorder(HIDDEN, "tensors", 3, moment=moment, filename=moment) for moment in ("before", "after")
    ]
    fit(tmp_path, *[*recorders, Optogenetics(SILENCE)][::order])
    before, after = (read_activations(tmp_path / "run", name)["values"] for name in ("before", "after"))
    for free, clamped in zip(before, after, strict=True):
        assert (clamped[:, [0, 2]] == 7).all()
        assert (free[:, [0, 2]] != 7).all()
        np.testing.assert_array_equal(free[:, [1, 3, 4]], clamped[:, [1, 3, 4]])


@pytest.mark.parametrize("order", [1, -1])
def test_the_pass_that_a_stimulus_takes_its_values_from_is_not_recorded(tmp_path, order):
    patch = [{"target": {"site": HIDDEN, "units": [0]}, "opsin": {"kind": "patch", "source": {"pass": "first"}}}]
    fit(tmp_path, *[ActivationRecorder(HIDDEN, "tensors", 3), Optogenetics(patch)][::order])
    assert read_activations(tmp_path / "run")[["step", "call"]].to_numpy().tolist() == [[0, 0], [3, 0]]


class Waits:
    """Counts what makes the host wait for a device, by replacing the methods that do."""

    NAMES = ("item", "cpu", "tolist", "numpy", "__bool__", "__float__", "__int__", "to")

    def __init__(self, monkeypatch):
        self.calls = []
        for name in self.NAMES:
            original = getattr(torch.Tensor, name)
            monkeypatch.setattr(torch.Tensor, name, self.counted(name, original))

    def counted(self, name, original):
        def method(tensor, *arguments, **named):
            self.calls.append(name)
            return original(tensor, *arguments, **named)

        return method


class Steps(Callback):
    """Keeps how often the host waited within each step, the recorder included."""

    def __init__(self, waits):
        self.waits, self.counts = waits, []

    def on_train_batch_start(self, *_):
        self.waits.calls.clear()

    def on_train_batch_end(self, *_):
        self.counts.append(len(self.waits.calls))


@pytest.mark.parametrize("what", [["mean", "std", "rate"], "tensors"])
def test_nothing_waits_for_the_device_on_ordinary_steps(tmp_path, monkeypatch, what):
    bare, steps = Steps(Waits(monkeypatch)), Steps(None)
    fit(tmp_path / "bare", bare)
    steps.waits = bare.waits
    first = Watched([HIDDEN], what, 4, max_bytes=1)
    fit(tmp_path / "recorded", first, steps)
    ordinary = [number for number in range(6) if number % 4]
    assert [steps.counts[number] for number in ordinary] == [bare.counts[number] for number in ordinary]
    assert first.looked == {True: [0, 4], False: ordinary}
    assert sum(steps.counts) > sum(bare.counts)  # the recorded steps were written: the counter counts


class Watched(ActivationRecorder):
    """Notes at which steps the gate is open."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self.looked = getattr(self, "looked", {True: [], False: []})
        self.looked[self._engine._gate.open].append(trainer.global_step)


def test_a_compiled_network_is_one_graph_and_gives_the_same(tmp_path):
    torch.compiler.reset()
    tables, graphs = [], []
    for compiled in (False, True):
        module = Module()
        if compiled:
            module.network.compile(backend=lambda graph, inputs: graphs.append(graph) or graph.forward, fullgraph=True)
        fit(tmp_path / str(compiled), ActivationRecorder([HIDDEN, "layers.0"], every_n_steps=2), module=module)
        tables.append(read_activations(tmp_path / str(compiled) / "run"))
    pd.testing.assert_frame_equal(*tables)
    assert len(graphs) == 2  # one with gradients, for training, and one without, for validation


def test_a_compiled_network_with_a_clamp_that_pulses(tmp_path):
    torch.compiler.reset()
    pulse = [SILENCE[0] | {"light": {"pulse": {"period": 2, "width": 1}}}]
    tables = []
    for compiled in (False, True):
        recorder = ActivationRecorder(HIDDEN, "tensors", 1)
        fit(tmp_path / str(compiled), recorder, Optogenetics(pulse), module=Module(compiled))
        tables.append(read_activations(tmp_path / str(compiled) / "run"))
    for eager, compiled in zip(*(table["values"] for table in tables), strict=True):
        np.testing.assert_allclose(eager, compiled, rtol=1e-6)
    assert [(values[:, 0] == 7).all() for values in tables[1]["values"]] == [True, False] * 3


class Stop(Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            raise KeyError("stopped")


@pytest.mark.parametrize("destination", ["parquet", "zarr"])
@pytest.mark.parametrize("what", [["mean", "std"], "tensors"])
def test_a_resumed_run_records_every_step_once(tmp_path, destination, what):
    if destination == "zarr":
        pytest.importorskip("zarr")

    def recorder():
        return ActivationRecorder(HIDDEN, what, 1, ["train", "validate"], destination=destination, max_bytes=1)

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    # all rows alike: a loader that knows nothing of resuming begins its rows anew in the middle of an epoch
    fit(whole, recorder(), max_epochs=2, alike=True)
    saving = ModelCheckpoint(cut, filename="{step}", every_n_train_steps=4, save_top_k=-1)
    with pytest.raises(KeyError):
        fit(cut, recorder(), saving, Stop(7), max_epochs=2, alike=True, enable_checkpointing=True)
    assert read_activations(cut / "run")["step"].max() == 6
    fit(cut, recorder(), max_epochs=2, alike=True, resume=cut / "step=4.ckpt")
    resumed, uninterrupted = (read_activations(folder / "run") for folder in (cut, whole))
    values = [table.pop("values") if "values" in table else [] for table in (resumed, uninterrupted)]
    pd.testing.assert_frame_equal(resumed, uninterrupted)
    for first, second in zip(*values, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_new_run_in_an_old_folder_begins_anew(tmp_path):
    fit(tmp_path, ActivationRecorder(HIDDEN, "mean", 1), max_epochs=2)
    fit(tmp_path, ActivationRecorder(HIDDEN, "mean", 3))
    assert read_activations(tmp_path / "run")["step"].unique().tolist() == [0, 3]


def test_averaged_weights_are_not_recorded(tmp_path):
    averaging = WeightAveraging(avg_fn=get_ema_avg_fn(0.9))
    fit(tmp_path, averaging, ActivationRecorder(HIDDEN, "tensors", 1, ["train", "validate"]))
    assert read_activations(tmp_path / "run").groupby("phase")["call"].apply(list).to_dict() == {
        "train": [0] * 6,
        "validate": [0] * 3,
    }


def test_a_copied_hook_reads_nothing():
    import copy

    from axonlight.callbacks.recording import Probe
    from axonlight.models import find_sites

    network, taken = DenseNetwork(4, 1, hidden=[5]), []
    gate = Gate(lambda site, x: taken.append(site.name), lit=True)
    Probe(find_sites(network, HIDDEN)[0], gate).install(network, "after")
    copy.deepcopy(network)(torch.zeros(2, 4))
    assert taken == []
    network(torch.zeros(2, 4))
    assert taken == [HIDDEN]


class ManyUpdates(Module):
    """Two updates in every training step, announced as `InContextTask` does."""

    automatic_optimization = False

    def __init__(self):
        super().__init__()
        self.update_listeners = []

    def training_step(self, batch, batch_idx):
        for half in batch[0].chunk(2):
            for listener in self.update_listeners:
                listener.on_update_start((half,))
            optimizer = self.optimizers()
            loss = self.network(half).square().mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()


def test_updates_within_a_step_are_steps(tmp_path):
    module, _ = fit(tmp_path, ActivationRecorder(HIDDEN, "tensors", 3), module=ManyUpdates())
    table = read_activations(tmp_path / "run")
    assert table["step"].tolist() == [0, 3, 6, 9]
    assert table["shape"].tolist() == [(2, 5)] * 4
    assert module.update_listeners == []


TWO_RANKS = """
import sys
sys.path.insert(0, {here!r})
from test_activation_recorder_beside_others import ActivationRecorder, HIDDEN, fit

if __name__ == "__main__":
    phases = ["train", "validate"]
    recorders = [
        ActivationRecorder(HIDDEN, ["mean", "std", "rate", "min", "max"], 2, phases, max_bytes=200),
        ActivationRecorder(HIDDEN, "tensors", 2, phases, filename="tensors"),
    ]
    fit({out!r}, *recorders, devices=2, strategy="ddp", batch=2)
"""


@pytest.mark.slow
def test_statistics_are_those_of_all_ranks(tmp_path):
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS.format(here=str(Path(__file__).parent), out=str(tmp_path)))
    forked.run_ranks(script, tmp_path)
    statistics, tensors = read_activations(tmp_path / "run"), read_activations(tmp_path / "run", "tensors")
    assert tensors[["phase", "step", "batch", "rank"]].to_numpy().tolist() == [
        [*place, rank]
        for place in (["train", 0, 0], ["train", 2, 2], ["train", 4, 4], ["validate", 6, 0], ["validate", 6, 2])
        for rank in (0, 1)
    ]
    for (phase, step), group in tensors.groupby(["phase", "step"]):
        x = np.concatenate(group["values"].tolist())
        rows = statistics[(statistics["phase"] == phase) & (statistics["step"] == step)]
        assert rows["count"].tolist() == [len(x)] * 5
        for name, values in {"mean": x.mean(0), "std": x.std(0), "rate": (x > 0).mean(0), "max": x.max(0)}.items():
            np.testing.assert_allclose(rows[name], values, rtol=1e-5, atol=1e-6)
