"""Progress measures: the protocol on checkpoints equals a network whose weights say the same; nothing stays behind."""

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, DenseNetwork, RankOneTensor
from axonlight.plots import draw_progress_measures
from axonlight.stimulation import progress_measures
from axonlight.stimulation.conducting.installation import stimulators_of
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

pytestmark = pytest.mark.xdist_group("progress")  # its fixtures are made once

SILENCE = [{"target": {"site": "hidden_0.post", "units": [1, 3]}, "opsin": "silence"}]


def data(rows=24):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, 5, generator=generator)
    return TensorDataset(x, (x.sum(1) > 0).long())


def task_of():
    torch.manual_seed(0)
    return ClassificationTask(lambda i, o: DenseNetwork(i, o, hidden=[6], activation="tanh"), in_features=5)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    saving = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=2, save_top_k=-1)
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[saving],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task_of(), DataLoader(data(), batch_size=12))
    return sorted(folder.glob("*.ckpt"))


def loss_by_weights(path, silenced):
    """The mean loss with the columns of silenced units set to 0 in the layer that reads them."""
    task = task_of()
    task.load_state_dict(torch.load(path, weights_only=True)["state_dict"], strict=False)
    if silenced:
        task.network.layers[-1].weight.data[:, [1, 3]] = 0.0
    x, target = data().tensors
    with torch.no_grad():
        return float(task.eval().total_loss(task(x), target))


def test_silencing_equals_weights_of_zero(checkpoints):
    task = task_of()
    before = {name: value.clone() for name, value in task.state_dict().items()}
    table = progress_measures(SILENCE, checkpoints, task, DataLoader(data(), batch_size=7))
    assert table["step"].tolist() == [2, 2, 4, 4]
    assert table["measured"].tolist() == ["free", "stimulated"] * 2
    assert set(table["samples"]) == {24}
    expected = [loss_by_weights(path, silenced) for path in checkpoints for silenced in (False, True)]
    np.testing.assert_allclose(table["loss"], expected, rtol=1e-6)
    assert abs(table["loss"][0] - table["loss"][1]) > 1e-3
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    assert task.training
    assert stimulators_of(task.network) == []


def test_the_runs_that_were_stimulated_stand_beside(checkpoints):
    batches = [(data().tensors[0], data().tensors[1])]
    table = progress_measures(SILENCE, checkpoints[:1], task_of(), batches, stimulated_checkpoints=checkpoints[1:])
    assert table[["trained", "measured", "step"]].to_numpy().tolist() == [
        ["free", "free", 2],
        ["free", "stimulated", 2],
        ["stimulated", "free", 4],
        ["stimulated", "stimulated", 4],
    ]


def test_light_is_steady_or_that_of_the_step(checkpoints):
    late = [SILENCE[0] | {"light": {"window": {"start": 3}}}]
    batches = [tuple(data().tensors)]
    dark, lit = (
        progress_measures(late, checkpoints, task_of(), batches, light=light) for light in ("schedule", "steady")
    )
    losses = dark.pivot(index="step", columns="measured", values="loss")
    assert losses.loc[2, "free"] == losses.loc[2, "stimulated"]
    assert losses.loc[4, "free"] != losses.loc[4, "stimulated"]
    steady = progress_measures(SILENCE, checkpoints, task_of(), batches)
    pd.testing.assert_frame_equal(lit, steady)


def test_a_clamp_to_the_mean_is_that_of_the_checkpoint(checkpoints):
    mean = [{"target": "hidden_0.post", "opsin": {"kind": "clamp", "value": "mean"}}]
    table = progress_measures(mean, checkpoints[:1], task_of(), [tuple(data().tensors)])
    task = task_of()
    task.load_state_dict(torch.load(checkpoints[0], weights_only=True)["state_dict"], strict=False)
    x, target = data().tensors
    with torch.no_grad():
        hidden = task.eval().network.layers[:-1](x).mean(0, keepdim=True).expand(24, -1)
        expected = float(task.total_loss(task.network.layers[-1](hidden), target))
    assert table["loss"][1] == pytest.approx(expected, rel=1e-5)


def test_hooks_and_weights_are_put_back_after_an_error(checkpoints):
    task = task_of()
    before = {name: value.clone() for name, value in task.state_dict().items()}

    def failing(task, batch):
        if stimulators_of(task.network):
            raise KeyError("while stimulated")
        return {"loss": 0.0}

    with pytest.raises(KeyError):
        progress_measures(SILENCE, checkpoints, task, [tuple(data().tensors)], measure=failing)
    assert stimulators_of(task.network) == []
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())


def test_what_cannot_be_measured_is_refused(checkpoints, tmp_path):
    task, batches = task_of(), [tuple(data().tensors)]
    torch.save(task.network.state_dict(), tmp_path / "weights.pt")
    for arguments, words in [
        ((SILENCE, [], task, batches), "checkpoints is empty"),
        ((SILENCE, [tmp_path / "no.ckpt"], task, batches), "there is no such file"),
        ((SILENCE, [tmp_path / "weights.pt"], task, batches), "does not say its step"),
        ((SILENCE, checkpoints, task, iter(())), "batches is empty"),
        ((SILENCE, checkpoints, RankOneTensor(), batches), "progress at step 2: .* lacks truth"),
    ]:
        with pytest.raises(InputError, match=words):
            progress_measures(*arguments)
    with pytest.raises(InputError, match="light is 'off'"):
        progress_measures(SILENCE, checkpoints, task, batches, light="off")
    slow = [SILENCE[0] | {"opsin": {"kind": "silence", "kinetics": {"rise": 5}}}]
    with pytest.raises(InputError, match=r"stimulus 1 \(silence at hidden_0.post\): its light follows kinetics"):
        progress_measures(slow, checkpoints, task, batches, light="schedule")


def test_the_figure_holds_medians_over_seeds():
    tables = [
        pd.DataFrame({"trained": "free", "measured": ["free", "stimulated"] * 2, "step": [0, 0, 5, 5], "loss": values})
        for values in ([1.0, 0.6, 0.9, 0.1], [1.0, 0.4, 0.7, 0.3], [1.0, 0.5, 0.1, 0.2])
    ]
    figure = draw_progress_measures(tables, title="seeds")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["never stimulated"].get_ydata().tolist() == [1.0, 0.7]
    assert lines["stimulated at checkpoints alone"].get_ydata().tolist() == [0.5, 0.2]
    assert len(lines) == 2
    with pytest.raises(ValueError, match="measure is 'accuracy'"):
        draw_progress_measures(tables, "accuracy")
