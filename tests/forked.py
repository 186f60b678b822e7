"""Child processes that need not import torch, Lightning and this package again: a server did so once and forks them."""

import multiprocessing
import os
import runpy
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

PRELOADED = ["axonlight.models", "axonlight.callbacks", "axonlight.datamodules", "axonlight.comparison.study.drive"]
PRELOADED += ["axonlight.training", "axonlight.discovery", "axonlight.commands", "pandas", "pytest"]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(PRELOADED)


@dataclass
class Child:
    """A process that runs a script or module as `python` would, and the file that holds what it says."""

    process: BaseProcess
    errors: Path

    def wait(self, timeout: float = 300.0) -> int:
        """Return how it ended, as `subprocess` does; end it if it takes longer."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            raise TimeoutError(self.said)
        return self.process.exitcode

    @property
    def said(self) -> str:
        """What it wrote to its standard error."""
        return self.errors.read_text()


def start(
    program: str, arguments: Sequence[object], folder: Path, environment: Mapping[str, str] | None = None
) -> Child:
    """Run a script (a path that ends in .py) or a module in a child whose working directory is a folder."""
    errors = folder / f"errors-{len(list(folder.glob('errors-*')))}.txt"
    words = [str(argument) for argument in arguments]
    # as a child of subprocess would: the environment of this moment, not that of the server
    inherited = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    child = CONTEXT.Process(target=_run, args=(str(program), words, str(folder), inherited, str(errors)))
    errors.touch()
    child.start()
    return Child(child, errors)


def run_ranks(program: str | Path, folder: Path) -> None:
    """Run a script of Lightning in two processes, as a launcher outside it does."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "NODE_RANK": "0"}
    join([start(str(program), [], folder, {**shared, "LOCAL_RANK": str(rank)}) for rank in range(2)])


def join(children: Sequence[Child]) -> None:
    """Wait until all have ended without an error."""
    try:
        for child in children:
            code = child.wait()
            assert code == 0, child.said[-3000:]
    finally:
        for child in children:
            child.process.kill()


def free_port() -> int:
    """A port that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _run(program: str, arguments: list[str], folder: str, environment: dict[str, str], errors: str) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for stream, path in ((1, os.devnull), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), stream)
    sys.argv = [program, *arguments]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
