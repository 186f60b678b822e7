"""Worker processes on this machine."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from ...errors import RunError
from .base import RETRIES, Group, Outcome, Work, attempt

__all__ = ["LocalExecutor"]

# Workers that die before they have taken up any work mean that none ever will.
_DEAD_AT_START = 3
# Every worker computes on one thread: several of them share the cores.
_THREADS: dict[str, str] = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass
class LocalExecutor:
    """Spawned worker processes with one thread each, or this process.

    A worker that dies is replaced, and its group is run again, at most twice. Workers end with this process, even if
    it is killed.

    Args:
        workers: Number of processes; 0 executes everything in this one.
        keeps_workers: Whether processes wait for the next call with the same work, until `close`.

    Example:
        >>> groups = [Group(("a",), ({"x": 2},)), Group(("b",), ({"x": 3},))]
        >>> executor = LocalExecutor(workers=0)
        >>> outcomes = executor.run(groups, lambda recipes: [recipe["x"] ** 2 for recipe in recipes], lambda *_: None)
        >>> [outcome.results for outcome in outcomes]
        [[4], [9]]
    """

    workers: int = 1
    keeps_workers: bool = False
    _pool: "_Pool | None" = field(default=None, repr=False, compare=False)

    def check(self) -> None:
        """Do nothing: there is always this machine."""

    def run(
        self, groups: Sequence[Group], work: Work, started: Callable[[Sequence[str], str], None]
    ) -> Iterator[Outcome]:
        """Execute the groups; see `Executor`."""
        if self.workers == 0:
            return _in_this_process(groups, work, started)
        if not self.keeps_workers:
            return _Pool(min(self.workers, len(groups)), work, started).run(groups)
        if self._pool is None or self._pool.work is not work:
            self.close()
            self._pool = _Pool(self.workers, work, started, keeps_workers=True)
        self._pool.started = started
        return self._pool.run(groups)

    def close(self) -> None:
        """End the processes that wait for another call."""
        if self._pool is not None:
            self._pool.end()
            self._pool = None


def _in_this_process(
    groups: Sequence[Group], work: Work, started: Callable[[Sequence[str], str], None]
) -> Iterator[Outcome]:
    for group in groups:
        started(group.keys, f"process {os.getpid()}")
        yield attempt(work, group)


@dataclass
class _Worker:
    process: Any
    connection: Connection
    group: Group | None = None
    ready: bool = False

    @property
    def name(self) -> str:
        return f"process {self.process.pid}"


@dataclass
class _Pool:
    size: int
    work: Work
    started: Callable[[Sequence[str], str], None]
    workers: dict[Connection, _Worker] = field(default_factory=dict)
    waiting: deque[Group] = field(default_factory=deque)
    deaths: dict[tuple[str, ...], int] = field(default_factory=dict)
    dead_at_start: int = 0
    keeps_workers: bool = False

    def run(self, groups: Sequence[Group]) -> Iterator[Outcome]:
        self.waiting.extend(groups)
        is_whole = False
        try:
            while self.waiting or any(worker.group for worker in self.workers.values()):
                self._hand_out()
                for connection in wait(list(self.workers)):
                    outcome = self._read(self.workers[connection])  # type: ignore[index]
                    if outcome is not None:
                        yield outcome
            is_whole = True
        finally:
            if not (is_whole and self.keeps_workers):
                self.waiting.clear()
                self.end()

    def _hand_out(self) -> None:
        busy = sum(worker.group is not None for worker in self.workers.values())
        while len(self.workers) < min(self.size, busy + len(self.waiting)):
            self._add_worker()
        for worker in self.workers.values():
            if worker.ready and worker.group is None and self.waiting:
                worker.group = self.waiting.popleft()
                self.started(worker.group.keys, worker.name)
                try:
                    worker.connection.send(worker.group)
                except OSError:  # it has just died, which reading from it will tell
                    continue

    def _add_worker(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        # Not a daemon: those may have no children, and loaders of some data modules have workers of their own.
        process = context.Process(target=_serve, args=(theirs, self.work), daemon=False)
        with _one_thread():
            process.start()
        theirs.close()
        self.workers[ours] = _Worker(process, ours)

    def _read(self, worker: _Worker) -> Outcome | None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            return self._bury(worker)
        if message is None:
            worker.ready, self.dead_at_start = True, 0
            return None
        worker.group = None
        return message

    def _bury(self, worker: _Worker) -> Outcome | None:
        """Forget a dead worker; plan its group again unless it has died too often."""
        del self.workers[worker.connection]
        worker.connection.close()
        worker.process.join()
        reason = _how_it_ended(worker.process.exitcode)
        if not worker.ready:
            self.dead_at_start += 1
            if self.dead_at_start >= _DEAD_AT_START:
                raise RunError(
                    f"worker processes end before they begin ({reason}); a program that runs a study must do so under "
                    "`if __name__ == '__main__':`, or with workers 0"
                )
        group = worker.group
        if group is None:
            return None
        self.deaths[group.keys] = self.deaths.get(group.keys, 0) + 1
        if self.deaths[group.keys] > RETRIES:
            return Outcome(group.keys, error=f"its worker ended {RETRIES + 1} times: {reason}")
        self.waiting.appendleft(group)
        return None

    def end(self) -> None:
        """End all workers at once: what they do is not recorded any more."""
        for worker in self.workers.values():
            worker.process.kill()  # a trainer would take SIGTERM as a wish
        for worker in self.workers.values():
            worker.process.join()
            worker.connection.close()
        self.workers.clear()


def _how_it_ended(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let a process that starts here compute on one thread."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(_THREADS)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _serve(connection: Connection, work: Work) -> None:
    """Execute what comes through the connection until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    connection.send(None)
    while True:
        try:
            connection.send(attempt(work, connection.recv()))
        except (EOFError, OSError):  # the driver has ended, or was killed
            return


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, however that came."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
