"""What the doctor finds, against NumPy; that it changes nothing; what it refuses."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.activations import ASH, z_to_percentile
from axonlight.callbacks import ActivationDoctor, ActivationRecorder
from axonlight.callbacks.doctor import History, curve_values, due_step, find_activations, parameter_values
from axonlight.datamodules import BreastCancer
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, DenseNetwork, ReplicaTask
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MIXED = {"hidden": [8, 6, 4], "activation": ["ash(z=0.5)", "formula(x*cos(a*x), a=1.0)", "tanh"]}


class Module(LightningModule):
    """A network of any kind, trained on noise."""

    def __init__(self, network, compiled=False):
        super().__init__()
        self.network = network
        if compiled:
            network.compile(backend="eager")

    def training_step(self, batch, batch_idx=0):
        return self.network(batch[0]).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def rows(count=64, width=6):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(3))


def fit(folder, *callbacks, module, x=None, batch=16, name="run", resume=None, **options):
    defaults = {"max_epochs": 1, "enable_checkpointing": False}
    trainer = Trainer(
        accelerator="cpu",
        logger=CSVLogger(folder, name=None, version=name),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        **{**defaults, **options},
    )
    x = rows() if x is None else x
    trainer.fit(module, DataLoader(TensorDataset(x), batch_size=batch), ckpt_path=resume)
    return folder / name


def dense(seed=1, **options):
    torch.manual_seed(seed)
    return DenseNetwork(6, 1, **{**MIXED, "norm": "none", **options})


class Heard(Callback):
    """What goes into and comes out of every activation, by hooks of its own."""

    def __init__(self):
        self.pairs = []

    def on_train_start(self, trainer, pl_module):
        for name, module in find_activations(pl_module.network).items():
            module.register_forward_hook(
                lambda m, a, y, name=name: self.pairs.append((name, a[0].detach(), y.detach()))
            )


def test_rows_are_those_of_numpy(tmp_path):
    heard = Heard()
    network = dense()
    slopes = {"hidden_1": lambda x: np.cos(x) - x * np.sin(x), "hidden_2": lambda x: 1 / np.cosh(x) ** 2}
    table = pd.read_csv(
        fit(tmp_path, ActivationDoctor(), heard, module=Module(network), batch=64) / "activation_doctor.csv"
    )
    assert table["activation"].tolist() == ["hidden_0", "hidden_1", "hidden_2"]
    assert table["kind"].tolist() == ["ASH", "Formula", "Tanh"]
    for (name, x, y), (_, row) in zip(heard.pairs, table.iterrows(), strict=True):
        x, y = x.numpy().astype(float), y.numpy().astype(float)
        expected = [x.size, x.mean(), x.std(), y.mean(), y.std(), y.std() / x.std()]
        found = row[["entries", "input_mean", "input_std", "output_mean", "output_std", "gain"]].to_numpy(float)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        closed = np.abs(y) <= 0.01 * np.abs(x) if name == "hidden_0" else np.abs(slopes[name](x)) < 0.01
        assert row["saturated"] == pytest.approx(closed.mean())
        assert row["dead"] == closed.all(axis=0).mean()
    x = heard.pairs[0][1].numpy().astype(float)
    level = x.mean(axis=1, keepdims=True) + 0.5 * np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    assert table["passed_percent"][0] == pytest.approx(100 * (x > level).mean())
    assert table["normal_percent"][0] == pytest.approx(z_to_percentile(0.5), rel=1e-5)
    assert table["passed_percent"][1:].isna().all()


def test_dead_and_saturated_units_are_found(tmp_path):
    network = dense(hidden=[4], activation="relu")
    with torch.no_grad():
        network.layers[0].weight[:3].zero_()
        network.layers[0].bias[:4] = torch.tensor([-1.0, -2.0, -3.0, 0.0])
    folder = fit(tmp_path, ActivationDoctor(max_dead=0.5), module=Module(network), batch=64)
    row = pd.read_csv(folder / "activation_doctor.csv").iloc[0]
    assert row["dead"] == 0.75
    assert 0.75 < row["saturated"] < 1


def test_warnings_are_said_once(tmp_path, caplog):
    network = dense(hidden=[4, 3], activation="relu")
    with torch.no_grad():
        network.layers[0].weight.mul_(1e-3)
        network.layers[0].bias.fill_(-1.0)
    fit(tmp_path, ActivationDoctor(every_n_steps=1), module=Module(network), max_epochs=2)
    said = [record.getMessage() for record in caplog.records if "hidden_0" in record.getMessage()]
    assert said == [
        "hidden_0: the standard deviation of its output is 0 in step 0, outside [0.1, 10]",
        "hidden_0: 100% of its units are dead in step 0: nothing comes through in any row",
    ]


@pytest.mark.parametrize("non_finite", ["watch", "raise", "skip"])
def test_training_is_the_same_with_and_without(tmp_path, non_finite):
    def weights(name, *callbacks):
        torch.manual_seed(5)
        task = ClassificationTask(partial(DenseNetwork, **MIXED, dropout=0.2), in_features=30)
        trainer = Trainer(
            max_epochs=2,
            accelerator="cpu",
            callbacks=list(callbacks),
            logger=CSVLogger(tmp_path, name=None, version=name),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(task, BreastCancer(batch_size=128, shuffle_seed=1))
        return torch.cat([value.flatten() for value in (*task.network.parameters(), *task.network.buffers())])

    doctor = ActivationDoctor(every_n_steps=2, non_finite=non_finite)
    assert torch.equal(weights("without"), weights("with", doctor))
    assert len(doctor.records.rows) == 3 * len([step for step in range(8) if step == due_step(step, 2)])


def test_hooks_are_there_in_examined_steps_alone(tmp_path):
    seen = {}

    class Look(Callback):
        def on_before_backward(self, trainer, pl_module, loss):
            hooks = [h for m in pl_module.network.modules() for h in (*m._forward_hooks, *m._forward_pre_hooks)]
            seen.setdefault(trainer.global_step, []).append(bool(hooks))

    module = Module(dense())
    fit(tmp_path, ActivationDoctor(every_n_steps=5), Look(), module=module, batch=4, accumulate_grad_batches=2)
    assert seen == {step: [step in (0, 1, 2, 4, 5)] * 2 for step in range(8)}
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_micro_batches_of_an_update_count_together(tmp_path):
    whole = fit(tmp_path, ActivationDoctor(), module=Module(dense()), batch=64, name="whole")
    parts = fit(tmp_path, ActivationDoctor(), module=Module(dense()), batch=16, accumulate_grad_batches=4, name="parts")
    whole, parts = (pd.read_csv(folder / "activation_doctor.csv") for folder in (whole, parts))
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-5)
    assert len(whole) == 3


def test_values_and_curves_follow_training(tmp_path):
    module = Module(dense(activation_parameters="unit"))
    folder = fit(tmp_path, ActivationDoctor(every_n_steps=2), module=module)
    values = pd.read_csv(folder / "activation_doctor_values.csv")
    assert values["step"].unique().tolist() == [0, 1, 2, 4]
    last = values[values["step"] == 4].groupby(["activation", "value_of"])["value"].apply(list)
    ash, formula = module.network.layers[1], module.network.layers[3]
    assert isinstance(ash, ASH)
    for key, expected in {
        ("hidden_0", "z"): ash.z,
        ("hidden_0", "alpha"): ash.alpha,
        ("hidden_1", "a"): formula.a,
    }.items():
        assert last[key] == pytest.approx(expected.tolist())
    curves = pd.read_parquet(folder / "activation_doctor_curves.parquet")
    drawn = curves[(curves["activation"] == "hidden_1") & (curves["step"] == 4) & (curves["unit"] == 2)]
    x = torch.tensor(drawn["x"].to_numpy(), dtype=torch.float32)
    expected = x * torch.cos(formula.a[2] * x)
    np.testing.assert_allclose(drawn["value"], expected.detach(), atol=1e-5)
    assert (folder / "activation_doctor.png").stat().st_size > 10_000
    metrics = pd.read_csv(folder / "metrics.csv")
    assert metrics["doctor/hidden_0/gain"].notna().sum() == 3


def test_curve_of_a_gated_activation_is_its_mean_output(tmp_path):
    network = nn.Sequential(nn.Identity(), ASH(z=0.5, alpha=2.0, trainable=False), nn.Linear(512, 1))
    x = torch.randn(512, 512, generator=torch.Generator().manual_seed(0))
    folder = fit(tmp_path, ActivationDoctor(), module=Module(network), x=x, batch=512)
    curves = pd.read_parquet(folder / "activation_doctor_curves.parquet")
    middle = curves[curves["x"].abs() < 2]
    # of a standard normal sample the threshold is 0.5
    expected = middle["x"] / (1 + np.exp(-4 * (middle["x"] - 0.5)))
    np.testing.assert_allclose(middle["value"], expected, atol=0.03)
    assert curves[curves["x"].abs() == 5]["value"].isna().all()


def test_every_call_and_work_in_place(tmp_path):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.act = nn.Linear(6, 5), nn.Linear(5, 1), nn.ReLU(inplace=True)

        def forward(self, x):
            return self.act(self.second(self.act(self.first(x))))

    network = Twice()
    x = rows()
    with torch.no_grad():
        before = network.first(x)
    table = pd.read_csv(fit(tmp_path, ActivationDoctor(), module=Module(network), batch=64) / "activation_doctor.csv")
    assert table["activation"].tolist() == ["act", "act#2"]
    assert table["entries"].tolist() == [64 * 5, 64]
    assert table["input_std"][0] == pytest.approx(before.numpy().std(), rel=1e-5)
    assert table["gain"][0] < 0.9


def test_a_compiled_network_is_examined_alike(tmp_path):
    doctor = partial(ActivationDoctor, every_n_steps=2)
    eager = fit(tmp_path, doctor(), module=Module(dense()), name="eager")
    compiled = fit(tmp_path, doctor(), module=Module(dense(), compiled=True), name="compiled")
    tables = [pd.read_csv(folder / "activation_doctor.csv") for folder in (eager, compiled)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-5)


def test_a_resumed_run_tells_the_whole_story(tmp_path):
    def run(name, epochs, resume=None):
        keep = ModelCheckpoint(tmp_path / name, filename="{epoch}", save_top_k=-1)
        doctor = ActivationDoctor(every_n_steps=3)
        options = {"max_epochs": epochs, "enable_checkpointing": True}
        return fit(tmp_path, doctor, keep, module=Module(dense()), name=name, resume=resume, **options)

    whole, _ = run("whole", 4), run("half", 2)
    resumed = run("resumed", 4, tmp_path / "half" / "epoch=1.ckpt")
    for file in ("activation_doctor.csv", "activation_doctor_values.csv"):
        kept, again = (pd.read_csv(folder / file) for folder in (whole, resumed))
        again = again.drop_duplicates([name for name in again if name not in ("value",)][:5], keep="last")
        pd.testing.assert_frame_equal(kept, again.reset_index(drop=True), rtol=1e-6)


def test_what_was_found_is_written_when_a_run_fails(tmp_path):
    class Fail(Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == 2:
                raise RuntimeError("out of luck")

    module = Module(dense())
    with pytest.raises(RuntimeError, match="out of luck"):
        fit(tmp_path, ActivationDoctor(), Fail(), module=module)
    assert len(pd.read_csv(tmp_path / "run" / "activation_doctor.csv")) >= 3
    assert not any(part._forward_hooks for part in module.modules())


def test_a_doctor_forgets_the_run_before(tmp_path):
    doctor = ActivationDoctor()
    fit(tmp_path, doctor, module=Module(dense()), name="first")
    folder = fit(tmp_path, doctor, module=Module(dense(hidden=[4], activation="relu")), name="second")
    assert set(pd.read_csv(folder / "activation_doctor.csv")["activation"]) == {"hidden_0"}


def test_beside_a_recorder(tmp_path):
    recorder = ActivationRecorder("*.post", ["mean"], every_n_steps=1, per="site")
    folder = fit(tmp_path, recorder, ActivationDoctor(every_n_steps=1), module=Module(dense()))
    recorded = pd.read_parquet(folder / "activations").pivot(index="step", columns="site", values="mean")
    found = pd.read_csv(folder / "activation_doctor.csv").pivot(
        index="step", columns="activation", values="output_mean"
    )
    np.testing.assert_allclose(recorded, found, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_n_steps": 0}, "every_n_steps is 0; it must be a positive integer"),
        ({"non_finite": "ignore"}, "non_finite is 'ignore'; it must be one of watch, raise, skip"),
        ({"std_range": (10, 0.1)}, r"std_range is \[10, 0.1\]; it must be two numbers, the smaller one first"),
        ({"max_dead": 1.5}, "max_dead is 1.5; it must be a share between 0 and 1"),
    ],
)
def test_options_are_refused(options, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        ActivationDoctor(**options)


def test_networks_are_refused(tmp_path):
    with pytest.raises(
        InputError, match="finds no activation module in Linear; activations that are called as functions"
    ):
        fit(tmp_path, ActivationDoctor(), module=Module(nn.Linear(6, 1)))
    tasks = [ClassificationTask(partial(DenseNetwork, hidden=[4]), in_features=6) for _ in range(2)]
    with pytest.raises(InputError, match="examines one network, and this run trains replicas"):
        fit(tmp_path, ActivationDoctor(), module=ReplicaTask(tasks, seeds=0))
    module = Module(dense())
    module.automatic_optimization = False
    with pytest.raises(InputError, match="cannot guard updates that a task makes by itself"):
        fit(tmp_path, ActivationDoctor(non_finite="skip"), module=module)


@pytest.mark.parametrize("channel_dim", [None, 1, -1, 2, -2, 0])
def test_curves_of_units_wherever_the_units_are(channel_dim):
    from axonlight.activations import Swish

    module = Swish(num_parameters=3, channel_dim=channel_dim)
    with torch.no_grad():
        module.beta.copy_(torch.tensor([0.5, 1.0, 2.0]))
    grid = torch.linspace(-2, 2, 5)
    expected = torch.stack([grid * torch.sigmoid(beta * grid) for beta in (0.5, 1.0, 2.0)], dim=1)
    assert torch.allclose(curve_values(module, grid), expected)
    assert module.training


def test_groups_give_one_curve_each_and_many_values_three():
    from axonlight.activations import Swish

    assert curve_values(Swish(groups=["a", "b", "a"]), torch.zeros(5)).shape == (5, 2)
    assert parameter_values(nn.PReLU(100))["weight"].shape == (3,)
    assert curve_values(nn.PReLU(100), torch.zeros(5)).shape == (5, 16)


def test_history_keeps_evenly_spaced_curves():
    history = History()
    for step in range(0, 5000, 7):
        history.add(step, torch.zeros(1))
    assert 32 <= len(history.steps) <= 64
    assert len(set(np.diff(history.steps))) == 1
