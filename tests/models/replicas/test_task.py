"""Many tasks trained as one are what each would be alone."""

from functools import partial

import pytest
import torch
from axonlight.callbacks import FiniteLoss, StepSeed
from axonlight.datamodules import SimulatedPathways
from axonlight.errors import InputError, RunError
from axonlight.models import (
    ClassificationTask,
    DenseNetwork,
    HeadOutputs,
    PathwayNetwork,
    RegressionTask,
    ReplicaTask,
)
from axonlight.models.replicas.evaluation import outputs_of
from axonlight.models.replicas.losses import replica_losses
from axonlight.structures import DegreePreserving
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping

SEEDS = [5, 5, 6]
ADAM = partial(torch.optim.Adam, lr=0.01, weight_decay=0.01)
SGD = partial(torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True)


def make_data(**options):
    """Rows in one order, whatever the seed of a replica."""
    settings = {"num_samples": 120, "num_causal": 2, "val_fraction": 0.2, "batch_size": 32, "shuffle_seed": 0}
    return SimulatedPathways(layer_sizes=[20, 6, 2], **{**settings, **options})


def make_tasks(data, network=None, optimizer=ADAM, **options):
    """One task per seed: the real hierarchy, and two draws of it."""
    network = network or partial(PathwayNetwork, activation="ash(z=0.5)", activation_parameters="node")
    draws = [data.hierarchy, *(DegreePreserving()(data.hierarchy, seed) for seed in (1, 2))]
    tasks = []
    for seed, hierarchy in zip(SEEDS, draws, strict=True):
        seed_everything(seed, verbose=False)
        kind = RegressionTask if data.task == "regression" else ClassificationTask
        names = data.feature_names
        tasks.append(
            kind(network, data.num_features, feature_names=names, hierarchy=hierarchy, optimizer=optimizer, **options)
        )
    return tasks


def make_trainer(epochs, *callbacks, **options):
    """A trainer that leaves nothing behind."""
    settings = {"precision": "64-true", "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(max_epochs=epochs, callbacks=list(callbacks), **{**settings, **quiet, **options})


def train_alone(data, epochs, stopping=None, trainer=None, **options):
    """Train the tasks one after the other, as a run does."""
    found = []
    for seed, task in zip(SEEDS, make_tasks(data, **options), strict=True):
        seed_everything(seed, verbose=False)
        curve, best = Curve(), Best()
        rules = [] if stopping is None else [stopping(), best]
        own = make_trainer(epochs, StepSeed(), curve, *rules, **(trainer or {}))
        own.fit(task, datamodule=data)
        if stopping is not None:
            task.load_state_dict(best.state)
        scores = own.test(task, datamodule=data, verbose=False)[0]
        found.append((task, curve.values, scores, own.current_epoch))
    return found


class Curve(Callback):
    """The metrics of every epoch."""

    def __init__(self):
        self.values = {}

    def on_train_epoch_end(self, trainer, pl_module):
        for name, value in trainer.callback_metrics.items():
            self.values.setdefault(name, []).append(float(value))


class Best(Callback):
    """The weights with the lowest validation loss."""

    def __init__(self):
        self.loss, self.state = float("inf"), None

    def on_validation_end(self, trainer, pl_module):
        loss = float(trainer.callback_metrics["val/loss"])
        if not trainer.sanity_checking and loss < self.loss:
            self.loss, self.state = loss, {name: value.clone() for name, value in pl_module.state_dict().items()}


def train_together(data, epochs, stopping=None, trainer=None, **options):
    """Train the tasks side by side."""
    task = ReplicaTask(make_tasks(data, **options), seeds=SEEDS, early_stopping=stopping and stopping())
    own = make_trainer(epochs, **(trainer or {}))
    own.fit(task, datamodule=data)
    own.test(task, datamodule=data, verbose=False)
    return task


def assert_equal(together, alone, tolerance=1e-10):
    for replica, (task, curves, scores, epochs) in enumerate(alone):
        result, state = together.results()[replica], task.state_dict()
        own = together.task(replica).state_dict()
        assert own.keys() == state.keys()
        for name, value in state.items():
            torch.testing.assert_close(own[name], value, rtol=0, atol=tolerance, msg=f"replica {replica}, {name}")
        assert result["epochs"] == epochs
        assert result["curves"].keys() == curves.keys()
        for name, values in curves.items():
            assert result["curves"][name] == pytest.approx(values, abs=1e-6), name
        assert result["scores"] == pytest.approx(scores, abs=1e-6)


@pytest.mark.parametrize("optimizer", [ADAM, SGD], ids=["adam", "sgd"])
def test_training_together_equals_training_alone(optimizer):
    data = make_data(val_fraction=0.0)
    options = {
        "optimizer": optimizer,
        "activation_lr": 0.02,
        "scheduler": partial(torch.optim.lr_scheduler.StepLR, step_size=20),
    }
    together, alone = (train(data, 67, **options) for train in (train_together, train_alone))
    assert together.trainer.global_step >= 200
    assert_equal(together, alone)


def test_single_precision_differs_by_rounding_alone():
    data = make_data(val_fraction=0.0)
    options = {"optimizer": partial(torch.optim.SGD, lr=0.05), "trainer": {"precision": "32-true"}}
    together, alone = (train(data, 67, **options) for train in (train_together, train_alone))
    assert_equal(together, alone, tolerance=1e-6)


@pytest.mark.parametrize(
    "case",
    [
        {"network": partial(PathwayNetwork, design="pnet")},
        {"network": partial(DenseNetwork, hidden=[8, 4], activation="ash", dropout=0.3)},
        {"trainer": {"gradient_clip_val": 0.3}},
        {"trainer": {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"}},
        {"trainer": {"accumulate_grad_batches": 2}},
        {"class_weights": [1.0, 3.0]},
    ],
    ids=["heads", "dense", "norm", "value", "accumulated", "weights"],
)
def test_every_setting_means_what_it_means_alone(case):
    data = make_data()
    together, alone = (train(data, 4, **{"optimizer": SGD, **case}) for train in (train_together, train_alone))
    assert_equal(together, alone)


def test_a_regression_is_trained_as_alone():
    data = make_data(simulated_task="regression")
    assert_equal(*(train(data, 3, error="huber") for train in (train_together, train_alone)))


@pytest.mark.parametrize("error", ["squared", "absolute", "huber"])
@pytest.mark.parametrize("heads", [False, True])
def test_losses_of_all_are_the_losses_of_each(error, heads):
    network = partial(DenseNetwork, hidden=[2])
    tasks = [
        RegressionTask(network, 3, error=error),
        ClassificationTask(network, 3, class_weights=[0.5, 2.0]),
        ClassificationTask(network, 3, num_classes=3, class_weights=[0.5, 2.0, 1.0]),
        ClassificationTask(network, 3, num_classes=3),
    ]
    for task in tasks:
        classes = getattr(task, "num_classes", 2)
        outputs = 3 * torch.randn(2, 5, 7, 1 if classes == 2 else classes, dtype=torch.float64)
        target = torch.randint(0, classes, (7,))
        parts = HeadOutputs(outputs, torch.tensor([0.25, 0.75]), torch.tensor([0.5, 0.5])) if heads else outputs[0]
        found = replica_losses(task, parts, target)
        expected = [task.total_loss(outputs_of(parts, replica), target) for replica in range(5)]
        torch.testing.assert_close(found, torch.stack(expected), rtol=1e-12, atol=0)


def test_each_replica_stops_when_it_would_stop_alone():
    data = make_data()
    options = {"optimizer": partial(torch.optim.SGD, lr=2.0), "stopping": lambda: EarlyStopping("val/loss", patience=3)}
    together, alone = (train(data, 30, **options) for train in (train_together, train_alone))
    epochs = [result["epochs"] for result in together.results()]
    assert len(set(epochs)) > 1
    assert max(epochs) < 30
    assert together.trainer.current_epoch == max(epochs)
    for result in together.results():
        losses = result["curves"]["val/loss"]
        assert result["best_epoch"] == losses.index(min(losses)) < result["epochs"] - 1
    assert_equal(together, alone)


def test_a_replica_that_diverges_ends_as_it_would_alone_and_harms_no_other():
    data = make_data()
    tasks = make_tasks(data)
    with torch.no_grad():
        tasks[1].network.layers["level_1"].linear.weight.fill_(float("inf"))
    together = ReplicaTask(tasks, seeds=SEEDS)
    trainer = make_trainer(4)
    trainer.fit(together, datamodule=data)
    trainer.test(together, datamodule=data, verbose=False)
    alone = train_alone(data, 4)
    results = together.results()
    for replica in (0, 2):
        task, curves, scores, _ = alone[replica]
        assert results[replica]["error"] is None
        assert results[replica]["curves"]["train/loss"] == pytest.approx(curves["train/loss"], abs=1e-6)
        assert results[replica]["scores"] == pytest.approx(scores, abs=1e-6)
        for name, value in together.task(replica).state_dict().items():
            torch.testing.assert_close(value, task.state_dict()[name], rtol=0, atol=1e-10)
    assert results[1]["scores"] == {}
    assert all(bool(torch.isfinite(parameter).all()) for parameter in together.parameters())
    lonely = make_tasks(data)[1]
    with torch.no_grad():
        lonely.network.layers["level_1"].linear.weight.fill_(float("inf"))
    seed_everything(SEEDS[1], verbose=False)
    with pytest.raises(RunError) as failure:
        make_trainer(4, StepSeed(), FiniteLoss()).fit(lonely, datamodule=data)
    layer, _, parameters = str(failure.value).rpartition("; ")
    # which ones differs: the gradient of a bias before a batch norm is nothing, which kernels take for 0 or 0 times nan
    assert results[1]["error"].rpartition("; ")[0] == layer
    assert "not finite (" in parameters


def test_the_run_ends_when_every_replica_has_failed():
    data = make_data()
    together = ReplicaTask(make_tasks(data, optimizer=partial(torch.optim.SGD, lr=1e30)), seeds=0)
    trainer = make_trainer(50)
    trainer.fit(together, datamodule=data)
    assert trainer.current_epoch < 5
    assert all("the training loss is" in result["error"] for result in together.results())


def test_one_replica_becomes_a_checkpoint_of_its_task(tmp_path):
    data = make_data()
    together = train_together(data, 2, trainer={"precision": "32-true"})
    for replica in range(3):
        together.save_replica(replica, tmp_path / "replica.ckpt", data)
        stored = torch.load(tmp_path / "replica.ckpt", weights_only=True)
        assert stored["datamodule_hyper_parameters"]["shuffle_seed"] == 0
        task = ClassificationTask.load_from_checkpoint(tmp_path / "replica.ckpt")
        trainer = make_trainer(1, precision="32-true")
        scores = trainer.test(task, datamodule=data, verbose=False)[0]
        assert scores == pytest.approx(together.results()[replica]["scores"], abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": torch.optim.LBFGS}, "the optimizer is LBFGS, which may mix replicas"),
        ({"optimizer": torch.optim.Adafactor}, "the optimizer is Adafactor, which may mix replicas"),
        (
            {"scheduler": partial(torch.optim.lr_scheduler.ReduceLROnPlateau, factor=0.5)},
            "the scheduler is ReduceLROnPlateau, which waits for one metric",
        ),
    ],
)
def test_what_would_mix_replicas_is_refused(settings, said):
    network = partial(DenseNetwork, hidden=[4])
    tasks = [ClassificationTask(network, 5) for _ in range(2)]
    for task in tasks:
        for name, value in settings.items():
            setattr(task, name, value)
    with pytest.raises(InputError, match=said):
        ReplicaTask(tasks, seeds=0)


def test_tasks_that_do_not_belong_together_are_refused():
    network = partial(DenseNetwork, hidden=[4])
    classes, numbers = ClassificationTask(network, 5), RegressionTask(network, 5)
    with pytest.raises(InputError, match="the tasks are of the classes ClassificationTask, RegressionTask"):
        ReplicaTask([classes, numbers], seeds=0)
    with pytest.raises(InputError, match="seeds lists 2 seeds for 1 tasks; give one each"):
        ReplicaTask([classes], seeds=[0, 1])
    with pytest.raises(InputError, match="there are no tasks; give at least one"):
        ReplicaTask([], seeds=[])
