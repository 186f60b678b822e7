"""Recipes of small runs, and the figures that the command line gives for them."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from axonlight.cli import main
from axonlight.comparison.runs.data_cache import clear_data_cache


@pytest.fixture(autouse=True)
def no_kept_data():
    """Begin and end every test without data of another."""
    clear_data_cache()
    yield
    clear_data_cache()


@pytest.fixture
def pathway_config() -> Callable[..., dict[str, Any]]:
    """Return a function that makes a config; changes are given by its parts."""
    return _pathway_config


def _pathway_config(**changes: Any) -> dict[str, Any]:
    """A config of a pathway network with batch norm and dropout on simulated data."""
    network = {
        "class_path": "PathwayNetwork",
        "init_args": {"design": "binn", "activation": "ash(z=0.5)", **changes.pop("network", {})},
    }
    data = {"layer_sizes": [20, 6, 2], "num_samples": 120, "num_causal": 2, "val_fraction": 0.2, "batch_size": 32}
    return {
        "seed_everything": 3,
        "model": {
            "class_path": "ClassificationTask",
            "init_args": {
                "network": network,
                "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01, "weight_decay": 0.01}},
                **changes.pop("model", {}),
            },
        },
        "data": {"class_path": "SimulatedPathways", "init_args": {**data, **changes.pop("data", {})}},
        "trainer": {"max_epochs": 3, "accelerator": "cpu", **changes.pop("trainer", {})},
    }


@pytest.fixture
def scores_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> Callable:
    """Return the test metrics that `test` writes for a checkpoint."""

    def run(checkpoint: str) -> dict[str, float]:
        monkeypatch.chdir(tmp_path)
        assert main(["test", "--ckpt_path", checkpoint]) == 0, capfd.readouterr().err
        return {name.removeprefix("test/"): values[-1] for name, values in _columns(_newest(tmp_path)).items()}

    return run


@pytest.fixture
def by_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, scores_of: Callable
) -> Callable:
    """Return what `fit` and then `test` write for a config: test metrics, and the columns of the training."""

    def run(config: dict[str, Any], checkpoint: str = "last") -> tuple[dict[str, float], dict[str, list[float]]]:
        monkeypatch.chdir(tmp_path)
        Path("config.yaml").write_text(yaml.safe_dump(config))
        assert main(["fit", "--config", "config.yaml"]) == 0, capfd.readouterr().err
        curves = _columns(_newest(tmp_path))
        return scores_of(checkpoint), curves

    return run


def _newest(folder: Path) -> Path:
    return max(folder.glob("runs/version_*"), key=lambda path: int(path.name.split("_")[1]))


def _columns(folder: Path) -> dict[str, list[float]]:
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    names = [name for name in rows[0] if "/" in name]
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}
