"""The callback: clocks, phases, losses, metrics, freezing, the record, resuming; more in tests/stimulation."""

import json
import warnings
from functools import partial
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
import yaml
from axonlight.callbacks import Optogenetics
from axonlight.callbacks.training_clock import _share
from axonlight.datamodules.loading import InMemoryLoader
from axonlight.errors import InputError, RunError
from axonlight.models import ClassificationTask, DenseNetwork
from axonlight.stimulation.protocol import PhotostimulationRecord
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SITE = "hidden_0.post"
SILENCE = {"target": {"site": SITE, "units": [0, 1]}, "opsin": "silence"}
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False, "logger": False}


def rows(count=32, batch=8):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 6, generator=generator)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=batch)


def task_of(**options):
    torch.manual_seed(0)
    return ClassificationTask(partial(DenseNetwork, hidden=[4], norm="none"), in_features=6, **options)


class Gates(pl.Callback):
    """Notes the gate that every training step sees, and the clock."""

    def __init__(self, stimulating):
        self.stimulating, self.gates, self.clocks = stimulating, [], []

    def on_before_zero_grad(self, *_):
        self.gates.append(self.stimulating.conductor.fibers[0].gate.item())
        self.clocks.append(self.stimulating.clock.now)


def fit(protocol, task=None, *, loader=None, callbacks=(), resume=None, force=False, name=None, **options):
    stimulating = Optogenetics(protocol, show=False, force=force, name=name)
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[stimulating, Gates(stimulating), *callbacks],
        **{"max_epochs": 2, **QUIET, **options},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        trainer.fit(task or task_of(), loader or rows(), resume if isinstance(resume, list) else None, ckpt_path=resume)
    return trainer, stimulating, trainer.callbacks[1]


def with_light(**light):
    return [{**SILENCE, "light": light}]


def test_the_clock_counts_updates_samples_and_tokens_and_decides_at_every_micro_batch():
    window = {"window": {"start": 24, "stop": 56, "unit": "samples"}}
    _, _, seen = fit(with_light(**window), accumulate_grad_batches=2)
    assert [clock.step for clock in seen.clocks] == [0, 1, 2, 3]
    by_step = fit(with_light(pulse={"period": 2, "width": 1}), accumulate_grad_batches=2)[2]
    assert by_step.gates == [1, 0, 1, 0]
    single = fit(with_light(**window))[2]
    assert (
        [clock.samples for clock in single.clocks] == [clock.tokens for clock in single.clocks] == list(range(0, 64, 8))
    )
    assert single.gates == [0, 0, 0, 1, 1, 1, 1, 0]
    assert [clock.epoch for clock in single.clocks] == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_light_by_loss_sees_the_whole_loss_of_the_batch_before(accumulate):
    class Falling(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = nn.Sequential(nn.Linear(6, 2))

        def training_step(self, batch, batch_idx):
            return self.network(batch[0]).sum() * 0 + (4.0 - batch_idx)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    loop = {"closed_loop": {"kind": "pi", "sensor": "loss", "setpoint": 0.0, "kp": -1.0, "maximum": 10.0}}
    seen = []

    class Watch(pl.Callback):
        def on_before_backward(self, trainer, module, loss):
            seen.append(trainer.callbacks[0].clock.now.loss)

    protocol = [{"target": "0", "opsin": {"kind": "drive", "amount": 0.0}, "light": loop}]
    fit(protocol, Falling(), callbacks=[Watch()], max_epochs=1, accumulate_grad_batches=accumulate)
    assert seen == [None, 4.0, 3.0, 2.0]


def test_nothing_asks_the_device_where_no_light_does():
    _, stimulating, seen = fit([SILENCE])
    assert all(clock.loss is None and clock.metrics == {} for clock in seen.clocks)
    assert stimulating.conductor.wants == frozenset()


def test_a_light_by_metric_goes_by_the_last_logged_value(monkeypatch):
    values = iter([0.9, 0.2, 0.9])

    class Logging(ClassificationTask):
        def on_train_epoch_end(self):
            self.log("own", next(values))

    task = Logging(partial(DenseNetwork, hidden=[4]), in_features=6)
    light = {"closed_loop": {"kind": "trigger", "sensor": "metric:own", "below": 0.5, "hold": 2}}
    assert fit(with_light(**light), task, max_epochs=3)[2].gates == [0] * 8 + [1, 1] + [1, 1]


def test_a_metric_that_is_never_logged_is_refused():
    light = {"closed_loop": {"kind": "trigger", "sensor": "metric:val/au", "below": 0.5}}
    with pytest.raises(InputError, match=r"stimulus 1 .* metric 'val/au', which is never logged"):
        fit(with_light(**light))

    class Own(ClassificationTask):
        pass

    with pytest.raises(RunError, match="'val/au', which nothing has logged so far; logged were train/loss"):
        fit(with_light(**light), Own(partial(DenseNetwork, hidden=[4]), in_features=6))


def test_a_window_that_never_opens_is_refused_at_the_start():
    with pytest.raises(InputError, match=r"stimulus 1 .*opens at 100 steps, the run has 8"):
        fit(with_light(window={"start": 100}))


def test_the_optimizer_rule_keeps_what_light_deprives_of_its_gradient():
    def weights(protocol, **options):
        task = task_of(optimizer=partial(torch.optim.AdamW, lr=0.1, weight_decay=0.5))
        found = []

        class Watch(pl.Callback):
            def on_train_batch_end(self, trainer, module, *_):
                found.append(module.network.layers[0].weight.detach().clone())

        fit(protocol, task, callbacks=[Watch()], **options)
        return found

    light = {"light": {"window": [2, 5]}}
    acting, frozen = weights([{**SILENCE, **light}]), weights([{**SILENCE, **light, "optimizer": "freeze"}])
    for step in range(2):
        assert torch.equal(acting[step], frozen[step])
    for step in range(2, 5):
        assert torch.equal(frozen[step][:2], frozen[1][:2])
        assert not torch.equal(acting[step][:2], acting[step - 1][:2])
        assert not torch.equal(frozen[step][2:], frozen[step - 1][2:])
    assert not torch.equal(frozen[5][:2], frozen[4][:2])
    twice = weights([{**SILENCE, **light, "optimizer": "freeze"}], accumulate_grad_batches=2, max_epochs=4)
    steps = twice[1::2]
    assert torch.equal(steps[3][:2], steps[1][:2])
    assert not torch.equal(steps[5][:2], steps[4][:2])


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_samples_of_all_ranks_are_numbered_once(ranks):
    """In batches that are cut in consecutive parts, of 7 and at last 1 row, as in those that are dealt out."""
    data = torch.arange(29)
    for number in range(5):
        found, totals = [], set()
        for rank in range(ranks):
            loader = InMemoryLoader([data], 7, shuffle=True, rank=rank, world_size=ranks)
            local = loader.batch_sizes[number]
            first, place, places, total = _share(trainer_like(rank, ranks), loader, local, number)
            found += [first + row * places + place for row in range(local)]
            totals.add(total)
        assert sorted(found) == list(range(totals.pop()))
        assert not totals
    dealt = [_share(trainer_like(rank, ranks), rows(), 4, 0) for rank in range(ranks)]
    numbers = [first + row * places + place for first, place, places, _ in dealt for row in range(4)]
    assert sorted(numbers) == list(range(4 * ranks))


def trainer_like(rank, ranks):
    return SimpleNamespace(global_rank=rank, world_size=ranks)


class Several(pl.LightningModule):
    """A task that makes K updates in a training step and tells of each."""

    def __init__(self, updates):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
        self.updates, self.update_listeners = updates, []
        self.automatic_optimization = updates == 1

    def training_step(self, batch, batch_idx):
        if self.updates == 1:
            loss = self.one(batch)
            self.tell(loss)
            return loss
        for part in zip(*(tensor.chunk(self.updates) for tensor in batch), strict=True):
            loss, optimizer = self.one(part), self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.tell(loss)
        return loss

    def one(self, batch):
        for listener in self.update_listeners:
            listener.on_update_start(batch)
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def tell(self, loss):
        for listener in self.update_listeners:
            listener.on_update_end(loss.detach())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.05, weight_decay=0.1)


def test_several_updates_in_a_step_are_as_many_steps():
    loop = {"kind": "pi", "sensor": "loss", "setpoint": 0.0, "kp": -1.0}
    protocol = [
        {"target": {"site": "0", "units": [0]}, "opsin": "silence", "light": {"window": [3, 6]}, "optimizer": "freeze"},
        {"target": "2", "opsin": {"kind": "noise", "sigma": 1.0}, "light": {"probability": 0.5, "closed_loop": loop}},
    ]
    runs = []
    for updates in (1, 4):
        task = Several(updates)
        _, stimulating, _ = fit(protocol, task, loader=rows(batch=4 * updates))
        assert task.update_listeners == []
        runs.append((task, stimulating))
    (first, one), (second, four) = runs
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)
    assert one.conductor.record.to_dict() == four.conductor.record.to_dict()
    assert one.conductor.record.rows()[0]["steps"] == "3-5"


def test_the_record_lies_in_the_run_folder_and_in_the_log(tmp_path):
    _, stimulating, _ = fit(with_light(window=[2, 5]), name="first", logger=CSVLogger(tmp_path, name=None))
    record = json.loads((tmp_path / "version_0" / "first" / "photostimulation.json").read_text())
    assert record["protocol"] == stimulating.protocol.hash
    assert stimulating.conductor.record.rows()[0]["steps"] == "2-4"
    hparams = yaml.safe_load((tmp_path / "version_0" / "hparams.yaml").read_text())
    assert hparams["protocol"] == stimulating.protocol.hash


class Silent(pl.LightningModule):
    """Logs nothing, and nobody can know before."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(6, 2))

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_metric_that_nobody_logs_ends_even_a_run_of_one_epoch():
    loop = {"kind": "trigger", "sensor": "metric:val/auroc", "below": 0.5}
    protocol = [{"target": "0", "opsin": "silence", "light": {"closed_loop": loop}}]
    with pytest.raises(RunError, match="'val/auroc', which nothing has logged"):
        fit(protocol, Silent(), max_epochs=1)


class Assigned(pl.Callback):
    """Notes which samples of every batch the first stimulus chose."""

    def __init__(self):
        self.train, self.validate = [], []

    def note(self, trainer, into):
        into.append(trainer.callbacks[0].conductor.fibers[0].samples.clone())

    def on_train_batch_end(self, trainer, *_):
        self.note(trainer, self.train)

    def on_validation_batch_start(self, trainer, *_):
        self.note(trainer, self.validate)


def test_the_record_tells_which_samples_a_random_light_reached(tmp_path):
    protocol = [{**SILENCE, "light": {"probability": 0.5}, "phases": ["train", "validate"]}]
    stimulating, seen = Optogenetics(protocol, show=False), Assigned()
    trainer = pl.Trainer(
        max_epochs=2, callbacks=[stimulating, seen], num_sanity_val_steps=0, accelerator="cpu", **QUIET
    )
    trainer.fit(task_of(), rows(), rows(count=24))
    record = stimulating.conductor.record
    read_again = PhotostimulationRecord(stimulating.protocol.stimuli, record.hash)
    read_again.load(json.loads(json.dumps(record.to_dict())))
    trained, validated = torch.cat(seen.train), seen.validate
    assert read_again.lit_samples(0).tolist() == trained.nonzero().flatten().tolist()
    # three batches of other samples, the same in every epoch
    assert not torch.equal(validated[0], validated[1])
    assert torch.equal(torch.cat(validated[:3]), torch.cat(validated[3:]))
    assert read_again.lit_samples(0, "validate").tolist() == torch.cat(validated[:3]).nonzero().flatten().tolist()
    assert not torch.equal(torch.cat(validated[:3]), trained[:24])
    with pytest.raises(InputError, match="stimulus 1 has no random light that shone in phase test"):
        record.lit_samples(0, "test")


def checkpoint(trainer, path):
    trainer.save_checkpoint(path)
    return path


def test_a_run_is_resumed_under_the_same_protocol_only(tmp_path):
    trainer, stimulating, _ = fit(with_light(window=[2, 50]), max_epochs=1)
    path = checkpoint(trainer, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=f"trained under protocol {stimulating.protocol.hash}, this run has"):
        fit(with_light(window=[2, 60]), resume=path)
    _, resumed, seen = fit(with_light(window=[2, 60]), resume=path, force=True)
    assert seen.clocks[0].step == 4
    assert resumed.conductor.record.rows()[0]["batches"] == 4
    _, resumed, _ = fit(with_light(window=[2, 50]), resume=path)
    assert resumed.conductor.record.rows()[0]["batches"] == 2 + 4
    plain = pl.Trainer(max_epochs=1, **QUIET)
    plain.fit(task_of(), rows())
    with pytest.raises(InputError, match="trained under no protocol"):
        fit(with_light(window=[2, 50]), resume=checkpoint(plain, tmp_path / "b.ckpt"))


def test_two_of_them_have_states_of_their_own(tmp_path):
    first, second = Optogenetics([SILENCE], show=False), Optogenetics([{**SILENCE, "opsin": "sham"}], show=False)
    trainer, _, _ = fit(with_light(window=[3, 9]), callbacks=[first, second])
    states = torch.load(checkpoint(trainer, tmp_path / "c.ckpt"), weights_only=True)["callbacks"]
    assert {key for key in states if key.startswith("Optogenetics")} == {
        callback.state_key for callback in trainer.callbacks if isinstance(callback, Optogenetics)
    }
    with pytest.raises(RuntimeError, match="state_key"):
        pl.Trainer(callbacks=[first, Optogenetics([SILENCE])], **QUIET)
    pl.Trainer(callbacks=[first, Optogenetics([SILENCE], name="other")], **QUIET)


def test_evaluation_stands_where_the_training_of_the_checkpoint_ended(tmp_path):
    protocol = [{**SILENCE, "light": {"window": [3, 5]}, "phases": ["train", "test"]}]
    trainer, _, _ = fit(protocol, max_epochs=1)
    path, task = checkpoint(trainer, tmp_path / "d.ckpt"), task_of()
    for protocol_of_test, lit in ((protocol, True), ([{**protocol[0], "light": {"window": [3, 4]}}], False)):
        stimulating = Optogenetics(protocol_of_test, show=False)
        tester, seen = pl.Trainer(callbacks=[stimulating], **QUIET), []
        task.network.layers[2].register_forward_pre_hook(
            lambda module, args, seen=seen: seen.append(bool(args[0][:, :2].any()))
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            tester.test(task, rows(), ckpt_path=path, verbose=False)
        assert len(seen) == 4
        assert any(seen) != lit


def test_a_module_without_a_network_is_its_own(monkeypatch):
    class Plain(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.inner, self.read = nn.Linear(6, 4), nn.Linear(4, 2)

        def training_step(self, batch, batch_idx):
            return nn.functional.cross_entropy(self.read(self.inner(batch[0])), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    module = Plain()
    before = module.inner.weight.detach().clone()
    fit([{"target": "inner", "opsin": "silence"}], module)
    assert torch.equal(module.inner.weight, before)
