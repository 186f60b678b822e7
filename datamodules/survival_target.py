"""Time and event as a target, and what times and events may be.

Shapes: N rows.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from ..errors import InputError, shown
from .targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SurvivalTarget", "check_survival"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SurvivalTarget(Target):
    """Two columns as one target: when a patient was last seen, and whether the event happened then.

    Args:
        column: Name of the column of times.
        event: Name of the column of events: 1 happened, 0 censored.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"months": [2.5, 7.0], "event": [1, 0]})
        >>> SurvivalTarget("months", event="event").encode(frame, "patients.csv").tolist()
        [[2.5, 1.0], [7.0, 0.0]]
    """

    task: Any = "survival"
    event: str = "event"

    def __post_init__(self) -> None:
        """There are no labels to check."""

    @property
    def num_classes(self) -> int:
        """0: there is no class."""
        return 0

    def encode(self, frame: "pd.DataFrame", path: str) -> np.ndarray:
        """Return time and event as float32 (N, 2).

        Raises:
            InputError: If a time or an event is not allowed, by the rows' numbers in the file.
        """
        columns: Any = frame[[self.column, self.event]]
        values = columns.to_numpy(dtype=np.float64)
        rows = [f"row {number + 1}" for number in frame.index]
        check_survival(rows, values[:, 0], values[:, 1], path)
        return values.astype(np.float32)

    def strata(self, values: np.ndarray) -> np.ndarray:
        """Return the events (N,): every part of a split gets its share of them."""
        return values[:, 1].astype(np.int64)

    def check_parts(self, parts: Mapping[str, np.ndarray], source: str) -> None:
        """Look at times and events of each part of a split; report one that cannot be scored.

        Raises:
            InputError: If everybody who trains is censored.
        """
        training = parts["training"]
        if not training[:, 1].any():
            raise InputError(f"all {len(training)} training rows of {source} are censored; use more rows or stratify")
        for part, rows in parts.items():
            if len(rows) and not rows[:, 1].any():
                _report_censored(part, len(rows), source)


@rank_zero_only
def _report_censored(part: str, rows: int, source: str) -> None:
    log.warning("%s: none of the %d %s patients has the event: no metric is defined", source, rows, part)


def check_survival(names: Sequence[str], time: Any, event: Any, source: str) -> None:
    """Refuse times and events that no analysis may see.

    Args:
        names: Name of each of the N patients.
        time: (N,).
        event: (N,) 1 where it happened, 0 where the patient was censored.
        source: Name of the table in messages.

    Raises:
        InputError: Naming the patients whose time is missing, zero or negative or whose event is neither 0 nor 1, or if
            everybody is censored.

    Example:
        >>> check_survival(["ann", "bob"], [3.0, 0.0], [1, 1], "patients.csv")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: 1 patient of patients.csv has a time that is not positive (bob); correct ...
    """
    times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.float64)
    for wrong, what in (
        (~np.isfinite(times), "no finite time"),
        (times <= 0, "a time that is not positive"),
        (~np.isin(events, (0, 1)), "an event that is neither 1 (happened) nor 0 (censored)"),
    ):
        if wrong.any():
            patients = [str(names[row]) for row in np.flatnonzero(wrong).tolist()]
            count = f"{len(patients)} patients of {source} have" if len(patients) > 1 else f"1 patient of {source} has"
            raise InputError(f"{count} {what} ({shown(patients)}); correct the table or remove them")
    if not events.any():
        raise InputError(
            f"all {len(events)} patients of {source} are censored ({shown(list(map(str, names)))}): nothing tells who "
            "is at risk; choose another endpoint, or check which number the table means by censored"
        )
