"""Threads that work on blocks of a batch, or of many networks, side by side.

Within an operation on some ten thousand numbers two threads wait for one another longer than they work. Blocks have
nothing to do with one another, so each thread takes blocks of its own through forward, loss and backward.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["count_workers", "for_each"]

Item = TypeVar("Item")
Result = TypeVar("Result")

# One pool per process, as a fork inherits none of the threads, and number of threads.
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def count_workers() -> int:
    """Return how many threads may work on blocks: those that torch uses within an operation, or 1.

    Under autocast it is 1: whether it is on is known to one thread.
    """
    return 1 if torch.is_autocast_enabled("cpu") else torch.get_num_threads()


def for_each(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> list[Result]:
    """Return what a function returns for every item, in order; with several threads each operation has one.

    Example:
        >>> for_each(lambda number: number**2, [1, 2, 3], workers=2)
        [1, 4, 9]
    """
    if workers == 1 or len(items) == 1:
        return [function(item) for item in items]
    return list(_pool(workers).map(function, items))


def _pool(workers: int) -> ThreadPoolExecutor:
    key = (os.getpid(), workers)
    if key not in _pools:
        threads = torch.get_num_threads()
        together = threading.Barrier(workers)
        pool = _pools[key] = ThreadPoolExecutor(workers, "blocks")

        def settle(_: int) -> None:
            together.wait()  # every thread takes one of these
            torch.set_num_threads(1)

        list(pool.map(settle, range(workers)))
        torch.set_num_threads(threads)  # what threads that begin later take for theirs
    return _pools[key]
