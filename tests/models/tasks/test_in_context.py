"""The in-context task: one or many updates per step, what it logs, stimulation, resuming, the shipped configs."""

import functools
import math
from pathlib import Path

import pytest
import torch
import yaml
from axonlight.callbacks import FiniteLoss, Optogenetics
from axonlight.cli import main
from axonlight.datamodules import FewShotSequences
from axonlight.errors import InputError, RunError
from axonlight.models import AttentionOnlyTransformer, InContextTask
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.nn import functional as F
from torch.utils.data import DataLoader

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "configs" / "induction").glob("*.yaml"))
SILENCE = {"target": {"site": "blocks.1.attention.v", "heads": [0, 1]}, "opsin": "silence"}


def make_task(updates=1, lr=1e-3, **options):
    torch.manual_seed(0)
    network = functools.partial(AttentionOnlyTransformer, num_heads=4, head_width=4)
    optimizer = functools.partial(torch.optim.Adam, lr=lr)
    return InContextTask(network, 512, 5, optimizer, updates_per_step=updates, **options)


def make_data(**options):
    return FewShotSequences(**{"epoch_sequences": 512, "evaluation_sequences": 64, "stream_seed": 3, **options})


def fit(task, data=None, epochs=2, callbacks=(), ckpt_path=None, **options):
    trainer = Trainer(
        max_epochs=epochs,
        callbacks=list(callbacks),
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"enable_checkpointing": False, **options},
    )
    trainer.fit(task, data or make_data(), ckpt_path=ckpt_path, weights_only=True if ckpt_path else None)
    return trainer


def weights(task):
    return torch.cat([parameter.detach().flatten() for parameter in task.network.parameters()])


def train_by_hand(task, updates, lr=1e-3):
    """Train the task's network by a plain loop."""
    data = make_data()
    optimizer = torch.optim.Adam(task.network.parameters(), lr=lr)
    stream = data.stream(3)
    for update in range(updates):
        exemplars, labels, target = stream.read(update * 32, update * 32 + 32)
        optimizer.zero_grad()
        F.cross_entropy(task.network(exemplars, labels, data.train_features), target).backward()
        optimizer.step()
    return weights(task)


@pytest.mark.parametrize("updates", [1, 4, 16])
def test_any_number_of_updates_per_step_equals_a_plain_loop(updates):
    expected = train_by_hand(make_task(), 32)
    task = make_task(updates)
    trainer = fit(task)
    assert torch.equal(weights(task), expected)
    assert trainer.global_step == 32
    assert task.sequences == 1024
    assert float(trainer.callback_metrics["sequences"]) == 1024


class Listener(Callback):
    """Notes what the task tells, and the count of updates at that moment."""

    def __init__(self):
        self.starts, self.ends = [], []

    def on_train_start(self, trainer, pl_module):
        self.trainer = trainer
        pl_module.update_listeners.append(self)

    def on_update_start(self, batch):
        self.starts.append((self.trainer.global_step, tuple(tensor.shape[0] for tensor in batch)))

    def on_update_end(self, loss):
        assert not loss.requires_grad
        self.ends.append(float(loss))


@pytest.mark.parametrize("updates", [1, 4])
def test_listeners_hear_of_every_update(updates):
    listener = Listener()
    trainer = fit(make_task(updates), callbacks=[listener], epochs=1, limit_val_batches=0)
    assert listener.starts == [(step, (32, 32, 32)) for step in range(16)]
    assert len(listener.ends) == 16
    mean = float(trainer.callback_metrics["train/loss"])
    assert mean == pytest.approx(sum(listener.ends) / 16, rel=1e-5)


@pytest.mark.parametrize("protocol", ["window", "pulse"])
def test_schedules_count_updates_whatever_a_step_holds(protocol):
    light = {"window": {"window": [3, 10]}, "pulse": {"pulse": {"period": 3, "width": 1}}}[protocol]
    results = []
    for updates in (1, 4):
        task = make_task(updates)
        fit(task, callbacks=[Optogenetics([{**SILENCE, "light": light}])], epochs=1, limit_val_batches=0)
        results.append(weights(task))
    assert torch.equal(*results)
    free = make_task()
    fit(free, epochs=1, limit_val_batches=0)
    assert not torch.equal(results[0], weights(free))


def test_every_evaluator_has_its_loss_and_accuracy():
    data, task = make_data(), make_task()
    trainer = fit(task, data, epochs=1)
    for name in ("train", "relabel", "new_classes"):
        batch = data.evaluation(name)
        outputs = task.network(batch.exemplars, batch.labels, data.features).detach()
        logged = [float(trainer.callback_metrics[f"val/{kind}/{name}"]) for kind in ("loss", "accuracy")]
        assert logged[0] == pytest.approx(float(F.cross_entropy(outputs, batch.target)), rel=1e-6)
        assert logged[1] == pytest.approx(float((outputs.argmax(1) == batch.target).float().mean()), rel=1e-6)
    tested = trainer.test(task, data, verbose=False)
    assert set().union(*tested) == {f"test/{kind}/{name}" for kind in ("loss", "accuracy") for name in data.evaluators}


def test_learned_is_the_first_evaluation_below():
    task = make_task(learned_below=2.0)  # from the first evaluation on
    trainer = fit(task, epochs=2, num_sanity_val_steps=2)
    assert float(trainer.callback_metrics["learned"]) == task.learned == 512
    never = make_task(learned_below=1e-9)
    assert math.isnan(float(fit(never, epochs=1).callback_metrics["learned"]))


@pytest.mark.parametrize("updates", [1, 4])
def test_a_run_stopped_within_an_epoch_goes_on_as_if_it_had_not_been(updates, tmp_path):
    whole = make_task(updates, learned_below=2.0)
    expected = fit(whole, epochs=2)
    stopped = make_task(updates, learned_below=2.0)
    saving = ModelCheckpoint(tmp_path, "stopped", every_n_train_steps=24)
    fit(stopped, epochs=2, max_steps=24, enable_checkpointing=True, callbacks=[saving])
    resumed = make_task(updates, learned_below=2.0)
    torch.nn.init.zeros_(resumed.network.readout.weight)
    trainer = fit(resumed, epochs=2, ckpt_path=tmp_path / "stopped.ckpt")
    assert torch.equal(weights(resumed), weights(whole))
    assert (trainer.global_step, resumed.sequences, resumed.learned) == (32, 1024, 512)
    for name in ("train/loss", "val/loss/train"):
        assert float(trainer.callback_metrics[name]) == pytest.approx(float(expected.callback_metrics[name]), rel=1e-6)
    loaded = InContextTask.load_from_checkpoint(tmp_path / "stopped.ckpt", weights_only=True)
    assert torch.equal(weights(loaded), weights(stopped))
    assert loaded.hparams["updates_per_step"] == updates


def test_a_compiled_network_is_one_graph_for_training_and_none_for_evaluation():
    torch.compiler.reset()
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    task = make_task(updates=4)
    compile_it, task.network.compile = task.network.compile, lambda: compile_it(backend=count)
    task.compile_network = True
    fit(task, epochs=2)
    assert len(graphs) == 1
    assert torch.allclose(weights(task), train_by_hand(make_task(), 32), atol=1e-5)


def test_features_may_stand_in_the_batch():
    data, task = make_data(), make_task()
    numbers, labels, target = data.evaluation("train")
    batches = DataLoader([(data.features[numbers], labels, target)], batch_size=None)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False)
    (probabilities,) = trainer.predict(task, batches)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(64))
    trainer.validate(task, batches, verbose=False)
    assert "val/loss/0" in trainer.callback_metrics


def test_refusals():
    with pytest.raises(InputError, match="num_classes of the data is 1"):
        InContextTask(AttentionOnlyTransformer, 512, 1)
    with pytest.raises(InputError, match="updates_per_step is 0"):
        make_task(updates=0)
    with pytest.raises(InputError, match="learned_below is -1"):
        make_task(learned_below=-1)
    with pytest.raises(InputError, match="an epoch has 16 updates, which is no whole number of steps of 5"):
        fit(make_task(updates=5))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_stimulate_what_they_say(path):
    stated = yaml.safe_load(path.read_text())
    rate = stated["model"]["init_args"]["optimizer"]["init_args"]["lr"]
    assert rate == (1e-5 if path.stem == "published_rate" else 1e-4)
    callbacks = {item["class_path"]: item.get("init_args", {}) for item in stated["trainer"]["callbacks"]}
    if path.stem in ("base", "published_rate"):
        assert "Optogenetics" not in callbacks
        return
    protocol = callbacks["Optogenetics"]["protocol"]
    assert protocol[0]["target"] == {"site": "blocks.1.attention.v", "heads": [0, 1, 2, 4, 5, 6, 7]}
    torch.manual_seed(0)
    task = InContextTask(AttentionOnlyTransformer, 512, 5)
    watched = {}
    fit(task, epochs=1, callbacks=[Optogenetics(protocol), Watch(watched)], limit_train_batches=2)
    check_what_flows(path.stem, watched)


class Watch(Callback):
    """Keeps the last evaluation's activations at some sites."""

    SITES = ("embedding", "blocks.0.attention.pattern", "blocks.0.residual", "blocks.1.attention.key_input",
             "blocks.1.attention.v", "blocks.1.attention.scores", "blocks.1.attention.pattern", "logits")  # fmt: skip

    def __init__(self, found):
        self.found = found

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.found["batch"] = batch
        self.handles = [
            pl_module.network.get_submodule(name).register_forward_hook(
                lambda module, inputs, output, name=name: self.found.update({name: output})
            )
            for name in self.SITES
        ]

    def on_validation_batch_end(self, *arguments, **options):
        for handle in self.handles:
            handle.remove()


def check_what_flows(arm, found):
    """Check the clamps of an arm, and that nothing else is clamped."""
    value, pattern = found["blocks.1.attention.v"], found["blocks.1.attention.pattern"]
    assert value[:, 3].abs().min(dim=0).values.max() > 0
    assert not value[:, [0, 1, 2, 4, 5, 6, 7]].any()
    raw, labels, target = found["embedding"], found["batch"].labels, found["batch"].target
    back = torch.eye(5).roll(1, dims=0)
    back[0] = torch.eye(5)[0]
    previous = (found["blocks.0.attention.pattern"] == back).flatten(2).all(-1).all(0)
    assert previous.tolist() == [arm == "clamp_attention" and head == 2 for head in range(8)]
    layer_1 = arm in ("clamp_layer_1", "clamp_layer_1_and_copy")
    assert torch.equal(found["blocks.0.residual"], raw) == layer_1
    shifted = torch.cat([raw[:, :1], raw[:, :-1]], dim=1)
    assert torch.equal(found["blocks.1.attention.key_input"], shifted) == layer_1
    right = torch.zeros(len(target), 5)
    right[:, 1::2] = (labels == target[:, None]).float()
    assert [torch.equal(pattern[:, head, -1], right) for head in range(8)] == [
        arm == "clamp_match" and head == 3 for head in range(8)
    ]
    scores = found["blocks.1.attention.scores"][:, 3, -1, 1::2]
    copied = arm in ("clamp_copy", "clamp_layer_1_and_copy")
    assert torch.equal(found["logits"].gather(1, labels), scores) == copied
    assert ((found["logits"] == -1e9).sum(1) == 3).all() == copied


def test_a_clamped_match_is_learned_within_8192_sequences(tmp_path, capsys):
    config = next(path for path in CONFIGS if path.stem == "clamp_match")
    arguments = ["--trainer.max_epochs", "4", "--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", "--config", str(config), *arguments]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1)
    assert float(lines["learned"]) <= 8192
    assert float(lines["val/accuracy/train"]) > 0.95
    assert lines["parameters"] == "66,629"


def test_a_loss_that_is_no_number_is_traced_to_its_layer():
    task, data = make_task(), make_data()
    with torch.no_grad():
        task.network.blocks[0].attention.projection.weight[0, 0] = math.nan
    with pytest.raises(
        RunError, match=r"in epoch 0, batch 0; the first layer .* 'network.exemplar_embedding \(Linear\)'"
    ):
        fit(task, data, epochs=1, callbacks=[FiniteLoss()], limit_val_batches=0)
