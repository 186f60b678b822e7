"""Runs of the real command line, in this process and in a child, each in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from axonlight.cli import main

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
def child(tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Start the command line in a process of its own."""

    def start(*arguments: str, program: tuple[str, ...] = ("-m", "axonlight")) -> subprocess.Popen:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        for name in ("PL_GLOBAL_SEED", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
            environment.pop(name, None)
        return subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
