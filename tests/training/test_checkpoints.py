"""What a checkpoint contributes: it rebuilds alone, explicit settings beat it, and it must fit."""

import torch
from axonlight.datamodules import BreastCancer
from axonlight.models import ClassificationTask, DenseNetwork

from .conftest import BASE


def fit(axonlight, *more):
    run = axonlight("fit", *BASE, *more)
    assert run.code == 0, run.err
    return run, run.run_folder / "checkpoints" / "last.ckpt"


def test_checkpoint_alone_rebuilds_model_and_data(axonlight):
    fitted, path = fit(axonlight, "--model.network.hidden", "[7, 5]", "--data.split_seed", "3")
    run = axonlight("validate", "--ckpt_path", path)
    assert run.code == 0, run.err
    assert run.metric("val/loss") == fitted.metric("val/loss")
    assert run.config["data"]["init_args"]["split_seed"] == 3
    assert run.config["model"]["init_args"]["network"]["init_args"]["hidden"] == [7, 5]


def test_explicit_activation_beats_the_checkpoint(axonlight, tmp_path):
    fitted, path = fit(axonlight)
    base = fitted.run_folder / "config.yaml"
    run = axonlight("validate", "-c", base, "--ckpt_path", path, "--model.network.activation", "Tanh")
    assert run.code == 0, run.err
    expected = validation_loss(path, "tanh")
    assert abs(run.metric("val/loss") - expected) < 1e-4
    assert abs(expected - fitted.metric("val/loss")) > 1e-3


def validation_loss(path, activation) -> float:
    """The loss by hand: the checkpoint's weights in a network with another activation."""
    state = torch.load(path, weights_only=True)["state_dict"]
    network = DenseNetwork(30, 1, activation=activation).eval()
    network.load_state_dict({name.removeprefix("network."): value for name, value in state.items()})
    data = BreastCancer(batch_size=64)
    data.setup()
    x, y = (torch.cat(parts) for parts in zip(*data.val_dataloader(), strict=True))
    with torch.no_grad():
        return float(torch.nn.functional.binary_cross_entropy_with_logits(network(x).squeeze(-1), y.float()))


def test_config_file_beats_the_checkpoint(axonlight, tmp_path):
    _, path = fit(axonlight)
    (tmp_path / "batch.yaml").write_text("data: {init_args: {batch_size: 17}}")
    run = axonlight("validate", "--config", "batch.yaml", "--ckpt_path", path)
    assert run.code == 0, run.err
    assert run.config["data"]["init_args"]["batch_size"] == 17


def test_other_shape_is_refused_before_anything_runs(axonlight):
    _, path = fit(axonlight)
    run = axonlight("validate", "--ckpt_path", path, "--model.network.hidden", "[8, 8]")
    assert run.code == 2
    assert "does not fit the network" in run.err
    assert "(64, 30)" in run.err
    assert len(list(run.folder.glob("runs/version_*"))) == 1


def test_activation_with_other_parameters_is_refused(axonlight):
    _, path = fit(axonlight, "--model.network.activation", "ash(z=0.5)")
    run = axonlight("validate", "--ckpt_path", path, "--model.network.activation", "relu")
    assert run.code == 2
    assert "absent in the network" in run.err


def test_other_formula_is_refused_rather_than_silently_replaced(axonlight):
    _, path = fit(axonlight, "--model.network.activation", "formula(x*cos(x))")
    run = axonlight("validate", "--ckpt_path", path, "--model.network.activation", "formula(x*sin(x))")
    assert run.code == 2, run.out
    assert "x*cos(x)" in run.err
    assert "x*sin(x)" in run.err


def test_other_features_are_refused(axonlight, tmp_path):
    _, path = fit(axonlight)
    rows = "\n".join(f"{i},{i % 3},{i % 2}" for i in range(60))
    (tmp_path / "own.csv").write_text(f"a,b,label\n{rows}\n")
    run = axonlight("test", "--ckpt_path", path, "--data", "TabularData", "--data.path", "own.csv")
    assert run.code == 2
    assert "30 features" in run.err


def test_last_and_best_mean_the_newest_run(axonlight):
    _, path = fit(axonlight)
    for name in ("last", "best"):
        run = axonlight("test", "--ckpt_path", name)
        assert run.code == 0, run.err
        assert f"{path.parent.relative_to(run.folder)}/{name}.ckpt" in run.out


def test_missing_checkpoint_is_one_sentence(axonlight):
    assert "is not a file" in axonlight("test", "--ckpt_path", "nowhere.ckpt").err
    assert "no run under 'runs' has a last.ckpt" in axonlight("test", "--ckpt_path", "last").err


def test_python_made_task_loads_from_its_checkpoint(tmp_path):
    from functools import partial

    from lightning.pytorch import Trainer

    network = partial(DenseNetwork, hidden=[6], activation="ash(z=0.5)")
    task = ClassificationTask(network, in_features=30, optimizer=partial(torch.optim.SGD, lr=0.1))
    trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(task, datamodule=BreastCancer())
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    again = ClassificationTask.load_from_checkpoint(tmp_path / "task.ckpt", weights_only=True)
    x = torch.randn(4, 30)
    assert torch.equal(again.eval()(x), task.eval()(x))


def test_live_network_is_left_out_with_a_warning(caplog):
    task = ClassificationTask(lambda i, o: DenseNetwork(i, o), in_features=3)
    assert "network" not in task.hparams
    assert "live object" in caplog.text


def test_task_loaded_from_a_command_line_checkpoint_describes_itself_again(axonlight, caplog):
    _, path = fit(axonlight, "--model.network.activation", "ASH", "--model.network.activation.z", "0.7")
    caplog.clear()
    task = ClassificationTask.load_from_checkpoint(path, weights_only=True)
    assert "live object" not in caplog.text
    stored = torch.load(path, weights_only=True)["hyper_parameters"]["network"]["init_args"]["activation"]
    assert task.hparams["network"]["init_args"]["activation"]["init_args"]["z"] == stored["init_args"]["z"] == 0.7
