"""Tasks on a Ray cluster, or on a Ray of this machine."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from .base import RETRIES, Group, Outcome, Work, attempt, sentence

__all__ = ["RayExecutor"]

# What a worker of another machine must know to find the data.
_CARRIED = ("AXONLIGHT_DATA",)
_SECONDS_TO_ANSWER = 5.0


@dataclass(frozen=True)
class RayExecutor:
    """Run groups as tasks of Ray, which runs those of a dead worker again.

    Args:
        workers: Most tasks at a time; on a cluster of your own, as many as it should give.
        address: "auto" joins a running cluster, or starts one on this machine where there is none; "local" starts one;
            anything else is the address of a cluster.

    Raises:
        InputError: If ray is not installed, or the cluster cannot be reached.

    Example:
        >>> RayExecutor(workers=64, address="auto").workers
        64
    """

    workers: int = 1
    address: str = "auto"

    def check(self) -> None:
        """Refuse a missing library, and an address where nobody answers; see `Executor`."""
        _import_ray()
        if self.address not in ("auto", "local"):
            _check_address(self.address)

    def run(
        self, groups: Sequence[Group], work: Work, started: Callable[[Sequence[str], str], None]
    ) -> Iterator[Outcome]:
        """Execute the groups; see `Executor`."""
        ray = _import_ray()
        with self._connected(ray):
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(attempt)
            shared = ray.put(work)
            waiting, running = list(reversed(groups)), {}
            while waiting or running:
                while waiting and len(running) < max(self.workers, 1):
                    group = waiting.pop()
                    started(group.keys, "ray")
                    running[task.remote(shared, group)] = group
                for done in ray.wait(list(running), num_returns=1)[0]:
                    yield _outcome(ray, done, running.pop(done))

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        """Join the cluster, or start one; leave what was running before as it was."""
        if ray.is_initialized():
            yield
            return
        variables = {name: os.environ[name] for name in _CARRIED if name in os.environ}
        options: dict[str, Any] = {
            "log_to_driver": False,
            "include_dashboard": False,
            "runtime_env": {"env_vars": {**variables, "OMP_NUM_THREADS": "1"}},
        }
        here = {**options, "address": "local", "num_cpus": max(self.workers, 1)}
        try:
            if self.address == "local":
                ray.init(**here)
            elif self.address == "auto":
                _join_or_start(ray, options, here)
            else:
                ray.init(address=self.address, **_joining(options))
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"address is '{self.address}', and Ray cannot be reached there: {error}") from error
        try:
            yield
        finally:
            ray.shutdown()


def _check_address(address: str) -> None:
    """Refuse an address where nobody answers: Ray itself would try for long, and print much."""
    host, _, port = address.rpartition("//")[2].partition("/")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"address is '{address}', and no Ray cluster answers there ({error}); write HOST:PORT, or auto, or local"
        ) from error


def _join_or_start(ray: Any, options: dict[str, Any], here: dict[str, Any]) -> None:
    try:
        ray.init(address="auto", **_joining(options))
    except ConnectionError:
        ray.init(**here)


def _joining(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "include_dashboard"}


def _outcome(ray: Any, task: Any, group: Group) -> Outcome:
    try:
        return ray.get(task)
    except ray.exceptions.RayError as error:  # its worker died too often
        return Outcome(group.keys, error=sentence(error))


def _import_ray() -> Any:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray 3 does, and what its warning asks for
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "executor is 'ray', which is not installed; run: pip install 'axonlight[ray]', or take executor local"
        ) from error
    return ray
