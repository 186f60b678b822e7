"""Threads that work on packs side by side."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import torch

__all__ = ["Crew"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Crew:
    """Several threads, each with packs of its own, in place of several threads within every operation.

    Threads within an operation wait for one another dozens of times per update, and for long where another program
    holds a core. Packs have nothing to do with one another, and compiled passes run without the interpreter's lock.

    Args:
        workers: Threads; 1 works in the caller's thread, with as many threads per operation as torch was told.

    Example:
        >>> with Crew(2) as crew:
        ...     crew.each(lambda number: number**2, [1, 2, 3])
        [1, 4, 9]
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._threads = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> "Crew":
        """Start the threads."""
        if self.workers > 1:
            torch.set_num_threads(1)
            self._pool = ThreadPoolExecutor(self.workers, "arms", initializer=lambda: torch.set_num_threads(1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the threads; what waits is not begun."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self._threads)

    def each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return what a function returns for every item, in order."""
        if self._pool is None:
            return [function(item) for item in items]
        return list(self._pool.map(function, items))
