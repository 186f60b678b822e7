"""What every run has: seed, logs, checkpoints, a closing screen, and the same numbers under any trainer setting."""

import csv

import pytest
import torch
import yaml
from axonlight.models import ClassificationTask, DenseNetwork

from .conftest import BASE, SHORT


def test_closing_screen_and_files(axonlight):
    run = axonlight("fit", "--config", "demo.yaml", "--trainer.max_epochs", "2")
    assert run.code == 0, run.err
    for text in ("val/auroc", "parameters", "seed", "best checkpoint", "run folder", "selected on it: optimistic"):
        assert text in run.out
    files = {path.name for path in run.run_folder.rglob("*") if path.is_file()}
    assert {"config.yaml", "metrics.csv", "hparams.yaml", "best.ckpt", "last.ckpt", "curves.png"} <= files
    assert any(name.startswith("events.out") for name in files)
    rows = list(csv.DictReader((run.run_folder / "metrics.csv").open()))
    assert {"val/loss", "train/loss", "val/auroc", "val/calibration_error"} <= set(rows[0])


def test_output_is_plain_and_advertises_nothing(axonlight):
    run = axonlight("fit", *BASE)
    assert "\x1b" not in run.out
    for word in ("litlogger", "LitLogger", "GPU available", "💡", "num_workers", "logging interval"):
        assert word not in run.out + run.err
    assert [line for line in run.out.splitlines() if line.startswith("epoch ")][-1].startswith("epoch 2/2")


def test_seed_is_saved_and_decides_the_numbers(axonlight):
    first, again, other = (
        axonlight("fit", *BASE, "--model.network.dropout", "0.2", "--seed_everything", seed) for seed in (7, 7, 8)
    )
    assert first.metric("train/loss") == again.metric("train/loss") != other.metric("train/loss")
    configs = [yaml.safe_load(path.read_text()) for path in sorted(first.folder.glob("runs/*/config.yaml"))]
    assert [config["seed_everything"] for config in configs] == [7, 7, 8]
    logged = yaml.safe_load((other.run_folder / "hparams.yaml").read_text())
    assert logged["seed_everything"] == 8
    assert "seed" in other.out


def test_seed_of_the_split_is_a_key_of_its_own(axonlight):
    runs = [axonlight("fit", *BASE, "--data.split_seed", seed) for seed in (0, 1)]
    assert runs[0].metric("val/loss") != runs[1].metric("val/loss")


def test_mlflow_with_a_sqlite_store(axonlight, tmp_path):
    pytest.importorskip("mlflow")
    logger = ["--trainer.logger", "lightning.pytorch.loggers.MLFlowLogger"]
    store = ["--trainer.logger.tracking_uri", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    run = axonlight("fit", *BASE, *logger, *store)
    assert run.code == 0, run.err
    assert (tmp_path / "mlflow.db").exists()
    assert (run.run_folder / "metrics.csv").exists()
    assert (run.run_folder / "config.yaml").exists()


def test_without_logger_two_runs_keep_both_configs(axonlight):
    for _ in range(2):
        run = axonlight("fit", *BASE, "--trainer.logger", "false")
        assert run.code == 0, run.err
    assert {path.name for path in (run.folder / "runs").glob("config*.yaml")} == {"config.yaml", "config-v1.yaml"}


def test_without_validation_rows_the_last_epoch_is_kept(axonlight):
    run = axonlight("fit", *BASE, "--data.val_fraction", "0")
    assert run.code == 0, run.err
    assert "best checkpoint" not in run.out
    assert axonlight("test", "--ckpt_path", "last").code == 0


def test_predict_writes_one_line_per_row(axonlight):
    axonlight("fit", *BASE)
    run = axonlight("predict", "--ckpt_path", "last")
    assert run.code == 0, run.err
    rows = list(csv.DictReader((run.run_folder / "predictions.csv").open()))
    assert len(rows) == 569
    assert all(0 <= float(row["prediction"]) <= 1 for row in rows)


def test_bf16_mixed_precision(axonlight):
    for spec in ("ash", "formula(x*cos(a*x))", "rational"):
        run = axonlight("fit", *BASE, "--trainer.precision", "bf16-mixed", "--model.network.activation", spec)
        assert run.code == 0, run.err
        assert run.metric("val/auroc") > 0.9


@pytest.mark.slow
def test_compiled_network_gives_the_same_losses(axonlight):
    settings = [*BASE, "--model.network.activation", "ash(z=0.5)"]
    plain = axonlight("fit", *settings)
    compiled = axonlight("fit", *settings, "--model.compile_network", "true")
    assert compiled.code == 0, compiled.err
    assert compiled.metric("train/loss") == pytest.approx(plain.metric("train/loss"), abs=2e-4)
    # compiled in place: the checkpoint fits the network that was not compiled
    assert axonlight("test", "--ckpt_path", "last", "--model.compile_network", "false").code == 0


def test_regression_task(axonlight, tmp_path):
    rows = "\n".join(f"{i / 50},{(i * 7) % 11},{2 * i / 50 - (i * 7) % 11}" for i in range(200))
    (tmp_path / "line.csv").write_text(f"a,b,y\n{rows}\n")
    data = ["--data", "TabularData", "--data.path", "line.csv", "--data.task", "regression", "--data.target", "y"]
    task = ["--model", "RegressionTask", "--model.network", "DenseNetwork", "--model.optimizer.lr", "0.01"]
    run = axonlight("fit", *task, *data, "--data.batch_size", "32", "--trainer.max_epochs", "40")
    assert run.code == 0, run.err
    assert run.metric("val/r2") > 0.9


def test_scheduler_and_activation_learning_rate(axonlight):
    scheduler = ["--model.scheduler", "torch.optim.lr_scheduler.StepLR", "--model.scheduler.step_size", "1"]
    run = axonlight("fit", *BASE, *scheduler, "--model.network.activation", "ash", "--model.activation_lr", "0.1")
    assert run.code == 0, run.err
    weights, activations = run.checkpoint()["optimizer_states"][0]["param_groups"]
    assert weights["lr"] == pytest.approx(0.001 * 0.1**2)
    assert activations["lr"] == pytest.approx(0.1 * 0.1**2)
    assert activations["weight_decay"] == 0


@pytest.mark.parametrize("spec", ["ash(z=0.5)", "formula(x*cos(a*x))", "rational"])
def test_gradient_checkpointing_changes_nothing(spec):
    torch.manual_seed(0)
    network = DenseNetwork(6, 1, activation=spec).double()
    x = torch.randn(16, 6, dtype=torch.float64)
    gradients = []
    for forward in (network, lambda value: torch.utils.checkpoint.checkpoint(network, value, use_reentrant=False)):
        network.zero_grad()
        network.eval()(x)  # running statistics of the norm must not differ between the two passes
        network.train()
        for layer in network.layers:
            if isinstance(layer, torch.nn.BatchNorm1d):
                layer.reset_running_stats()
        forward(x).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    for plain, checkpointed in zip(*gradients, strict=True):
        assert torch.equal(plain, checkpointed)


@pytest.mark.slow
def test_two_processes_give_the_single_process_metrics(axonlight, child):
    # no batch norm and no dropout: their statistics and masks belong to a process
    settings = [*BASE, "--model.network.norm", "layer", "--model.network.activation", "ash(z=0.5)"]
    settings += ["--data.batch_size", "66", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "3"]
    run = axonlight("fit", *settings, "--trainer.devices", "1", "--trainer.default_root_dir", "runs1")
    assert run.code == 0, run.err
    process = child("fit", *settings, "--trainer.devices", "2", "--trainer.strategy", "ddp")  # starts the other one
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    one, two = (
        dict(line.split()[:2] for line in text.splitlines() if line.startswith("  val/")) for text in (run.out, out)
    )
    assert "val/loss" in one
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert float(two[name]) == pytest.approx(float(value), abs=2e-4), name


def test_task_metrics_are_nan_with_a_count_when_undefined():
    task = ClassificationTask(DenseNetwork, in_features=2, num_classes=2)
    task.val_metrics.update(torch.tensor([0.2, 0.8]), torch.tensor([1, 1]))
    values = task.val_metrics.compute()
    assert torch.isnan(values["val/auroc"])
    assert task.val_metrics["auroc"].undefined_classes == 1


def test_module_and_data_of_somebody_else_train(axonlight):
    boring = "lightning.pytorch.demos.boring_classes"
    run = axonlight("fit", "--model", f"{boring}.BoringModel", "--data", f"{boring}.BoringDataModule", *SHORT[:2])
    assert run.code == 0, run.err
    assert (run.run_folder / "checkpoints" / "last.ckpt").exists()


def test_data_without_sizes_are_refused_by_our_tasks(axonlight):
    data = ["--data", "lightning.pytorch.demos.boring_classes.BoringDataModule"]
    for task in ("ClassificationTask", "RegressionTask"):
        run = axonlight("fit", "--model", task, "--model.network", "DenseNetwork", *data)
        assert run.code == 2
        assert "num_" in run.err
