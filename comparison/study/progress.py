"""How far a study is: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any, Self, TextIO

__all__ = ["StudyProgress", "spoken_time"]

_SECONDS_BETWEEN_LINES = 10.0
# Share of the runs after which the time left is worth telling.
_PACE_KNOWN = 0.05


def spoken_time(seconds: float) -> str:
    """Return a duration as a person says it.

    Example:
        >>> spoken_time(8.2), spoken_time(150), spoken_time(9000)
        ('8 s', '2.5 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class StudyProgress:
    """Count runs and say what is left.

    Args:
        total: Number of runs, those done before included.
        done: Runs done before.
        stream: Where to write; None is standard output.

    Example:
        >>> with StudyProgress(total=4, done=1) as progress:
        ...     progress.advance(3, 0)
        4 of 4 runs done
    """

    def __init__(self, total: int, done: int = 0, stream: TextIO | None = None) -> None:
        self.total, self.done, self.failed = total, done, 0
        self._before, self._began = done, time.monotonic()
        self._stream = sys.stdout if stream is None else stream
        self._last_line = self._began
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._bar = _bar(self.total, self.done)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._print()

    def advance(self, done: int, failed: int) -> None:
        """Count runs that were done, and that failed."""
        self.done += done
        self.failed += failed
        if self._bar is not None:
            self._bar.update(0, completed=self.done + self.failed, failed=self.failed)
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES and self.done + self.failed < self.total:
            self._last_line = time.monotonic()
            self._print()

    @property
    def seconds_left(self) -> float:
        """What is left at the pace so far; NaN before there is one: workers start, and groups come at once."""
        finished = self.done + self.failed - self._before
        if finished < _PACE_KNOWN * (self.total - self._before):
            return float("nan")
        return (time.monotonic() - self._began) / finished * (self.total - self.done - self.failed)

    def _print(self) -> None:
        failed = f", {self.failed:,} failed" if self.failed else ""
        left = self.total - self.done - self.failed
        time_left = f", about {spoken_time(self.seconds_left)} left" if left and self.seconds_left >= 0 else ""
        print(f"{self.done:,} of {self.total:,} runs done{failed}{time_left}", file=self._stream, flush=True)


def _bar(total: int, done: int) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [
        TextColumn("runs"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TextColumn("time left"),
        TimeRemainingColumn(),
    ]
    bar = Progress(*columns, transient=True)
    bar.add_task("runs", total=total, completed=done, failed=0)
    return bar
