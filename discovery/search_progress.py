"""How far a search is: a bar per stage on a terminal, plain lines elsewhere, and what is left."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TextIO

from ..comparison.study.progress import spoken_time

__all__ = ["SearchProgress"]

_SECONDS_BETWEEN_LINES = 10.0


class SearchProgress:
    """Tell stage, candidates done, and the time left: of the stage, then of all stages at the pace of training so far.

    Args:
        costs: Epochs of one network that each stage of training takes, in order; see `SearchPlan`.
        stream: Where to write; None is standard output.
        clock: Returns seconds.

    Example:
        >>> with SearchProgress({"finalists": 10.0}, sys.stdout, clock=lambda: 0.0) as progress:
        ...     progress("gate", 145, 0, 0)
        ...     progress("gate", 145, 100, 45)
        gate: 145 of 145, 45 failed, 0 s
    """

    def __init__(
        self, costs: Mapping[str, float], stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._costs, self._clock = dict(costs), clock
        self._stream = sys.stdout if stream is None else stream
        self._stage, self._began, self._before, self._told = "", 0.0, 0, 0.0
        self._pace = math.nan  # seconds per epoch of one network, of the last stage of training
        self._pace_from: tuple[int, float] | None = None
        self._bars: Any = None
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, stage: str, total: int, done: int, failed: int) -> None:
        """Tell how far a stage is.

        Args:
            stage: Its name.
            total: Number of candidates, or of trainings.
            done: How many have a score.
            failed: How many have none.
        """
        now, finished = self._clock(), min(done + failed, total)  # a group of which a part is known is trained whole
        if stage != self._stage:
            self._stage, self._began, self._told, self._pace_from = stage, now, now, None
            self._before = finished
            if self._bars is not None:
                self._bar = self._bars.add_task(_spoken(stage), total=total, left="", failed="")
        left = self._seconds_left(stage, total, finished, now)
        if self._bars is not None:
            said = f"about {spoken_time(left)} left" if left > 0 else ""
            told = f"{failed:,} failed" if failed else ""
            self._bars.update(self._bar, completed=finished, left=said, failed=told)
        elif finished == total or now - self._told > _SECONDS_BETWEEN_LINES:
            self._told = now
            self._print(stage, total, finished, failed, left, now)

    def _seconds_left(self, stage: str, total: int, finished: int, now: float) -> float:
        """Return what is left of this stage and of those that follow; NaN while there is no pace.

        A pace is measured from the first outcome of a stage on, because worker processes take seconds to start.
        """
        if finished == self._before:
            return math.nan
        if self._pace_from is None:
            self._pace_from = (finished, now)
        fresh, elapsed = finished - self._pace_from[0], now - self._pace_from[1]
        if fresh <= 0 or elapsed <= 0:
            return math.nan
        if stage in self._costs:
            self._pace = elapsed / fresh * total / self._costs[stage]
        here = elapsed / fresh * (total - finished)
        later = list(self._costs)[list(self._costs).index(stage) + 1 :] if stage in self._costs else []
        return here + sum(self._costs[name] * self._pace for name in later)

    def _print(self, stage: str, total: int, finished: int, failed: int, left: float, now: float) -> None:
        lost = f", {failed:,} failed" if failed else ""
        took = f", {spoken_time(now - self._began)}" if finished == total and finished > self._before else ""
        rest = f", about {spoken_time(left)} left" if left > 0 else ""
        print(f"{_spoken(stage)}: {finished:,} of {total:,}{lost}{took}{rest}", file=self._stream, flush=True)


def _spoken(stage: str) -> str:
    return {"proxies": "before training"}.get(stage, stage.replace("_", " "))


def _bars() -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[failed]}"),
        TextColumn("{task.fields[left]}"),
    )
