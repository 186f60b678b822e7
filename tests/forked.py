"""Child processes that need not import torch, Lightning and this package again: a server did so once and forks them."""

import multiprocessing
import os
import runpy
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PRELOADED = ["axonlight.models", "axonlight.callbacks", "axonlight.datamodules", "axonlight.comparison.study.drive"]
PRELOADED += ["axonlight.training", "axonlight.discovery", "axonlight.commands", "pandas", "pytest"]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(PRELOADED)


class Child:
    """A script, or `python -m` and a module, in a process of its own; used as what `subprocess.Popen` returns.

    Args:
        program: Path of a script, which ends in .py, or name of a module.
        arguments: What follows on its command line.
        folder: Its working directory; there, too, are the files of what it writes.
        environment: What differs from the environment of this moment.
    """

    def __init__(
        self, program: str, arguments: Sequence[object], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        number = len(list(folder.glob("child-*-errors.txt")))
        self.files = [folder / f"child-{number}-{kind}.txt" for kind in ("output", "errors")]
        for file in self.files:
            file.touch()
        inherited = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        command = [program, *map(str, arguments)]
        self.process = CONTEXT.Process(target=_run, args=(command, str(folder), inherited, list(map(str, self.files))))
        self.process.start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended: its exit code, or minus the number of a signal; None while it runs."""
        return self.process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def communicate(self, timeout: float = 300.0) -> tuple[str, str]:
        """Wait for its end; return what it wrote to its output and as errors."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            raise TimeoutError(self.files[1].read_text())
        output, errors = (file.read_text() for file in self.files)
        return output, errors


def run_ranks(program: str | Path, folder: Path, arguments: Sequence[object] = ()) -> str:
    """Run a program that uses Lightning in two processes, as a launcher outside it does; return the first's output."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "NODE_RANK": "0"}
    ranks = [Child(str(program), arguments, folder, {**shared, "LOCAL_RANK": str(rank)}) for rank in range(2)]
    return join(ranks)[0]


def join(children: Sequence[Child]) -> list[str]:
    """Wait until all have ended without an error; return their outputs."""
    outputs = []
    try:
        for child in children:
            output, errors = child.communicate()
            assert child.returncode == 0, errors[-3000:]
            outputs.append(output)
    finally:
        for child in children:
            child.process.kill()
    return outputs


def free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _run(command: list[str], folder: str, environment: dict[str, str], files: list[str]) -> None:
    os.chdir(folder)
    # as a child of subprocess: the environment of the moment it was started, not that of the server
    os.environ.clear()
    os.environ.update(environment)
    for stream, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), stream)
    sys.argv = command
    if command[0].endswith(".py"):
        runpy.run_path(command[0], run_name="__main__")
    else:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
