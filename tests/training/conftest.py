"""Runs of the real command line, in this process and in a child, each in a folder of its own."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from axonlight.cli import main

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

SHORT = ["--trainer.max_epochs", "2", "--data.batch_size", "64"]
BASE = ["--model", "ClassificationTask", "--model.network", "DenseNetwork", "--data", "BreastCancer", *SHORT]


@dataclass
class Run:
    """What a run left behind."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def run_folder(self) -> Path:
        """The newest run folder."""
        return max(self.folder.glob("runs/version_*"), key=lambda path: int(path.name.split("_")[1]))

    @property
    def config(self) -> dict:
        """The saved config."""
        return yaml.safe_load((self.run_folder / "config.yaml").read_text())

    def checkpoint(self, name: str = "last") -> dict:
        """A checkpoint, read the safe way."""
        return torch.load(self.run_folder / "checkpoints" / f"{name}.ckpt", weights_only=True)

    def metric(self, name: str) -> float:
        """A metric of the closing screen."""
        line = next(line for line in self.out.splitlines() if line.strip().startswith(name))
        return float(line.split()[1])


@pytest.fixture
def axonlight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> Callable[..., Run]:
    """Run the command line in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Run:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Run(code, captured.out, captured.err, tmp_path)

    return run


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., forked.Child]:
    """Start the command line in a process of its own."""
    for name in ("PL_GLOBAL_SEED", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: forked.Child("axonlight", arguments, tmp_path)
