"""What is to be predicted: labels as class numbers, or real numbers.

Shapes: N rows.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ..errors import InputError
from .encoding import numeric_values, text_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Target", "TaskName", "check_task"]

TaskName = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Target:
    """The target column and how its cells become classes.

    Args:
        column: Name of the column.
        task: "binary", "multiclass" or "regression" ("survival" has a class of its own).
        labels: Values of the column as text, in class order; empty for regression.
        positive: Labels that are class 1, all others being class 0 (binary only); empty takes the second
            label.
        names: What the labels mean; empty takes the labels themselves.

    Raises:
        InputError: If the labels do not suit the task.

    Example:
        >>> Target("cover", "binary", labels=("1", "2", "3"), positive=("2",)).class_names
        ('other', '2')
    """

    column: str
    task: TaskName | Literal["survival"]
    labels: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.positive and self.task != "binary":
            raise InputError(f"positive is given, but task is '{self.task}'; it belongs to 'binary'")
        if self.task == "regression":
            return
        if len(self.labels) < 2:
            found = f"only '{self.labels[0]}'" if self.labels else "no value"
            raise InputError(f"target '{self.column}' holds {found}; a {self.task} task needs at least two classes")
        if self.positive:
            self._check_positive()
        elif self.task == "binary" and len(self.labels) > 2:
            raise InputError(
                f"target '{self.column}' holds {len(self.labels)} classes "
                f"({_shortened(self.labels)}), but task is "
                "'binary'; set task to 'multiclass', or positive to the labels that are class 1"
            )

    def _check_positive(self) -> None:
        for label in self.positive:
            if label not in self.labels:
                raise InputError(
                    f"positive is '{label}', which is no value of target '{self.column}'; "
                    f"its values are {_shortened(self.labels)}"
                )
        if set(self.positive) == set(self.labels):
            raise InputError(f"positive holds every value of target '{self.column}'; class 0 would be empty")

    @property
    def num_classes(self) -> int:
        """Two for binary, the number of labels for multiclass, 0 for regression (one output, no class)."""
        return {"binary": 2, "regression": 0}.get(self.task, len(self.labels))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty for regression."""
        if not self.positive:
            return self.names or self.labels
        named = dict(zip(self.labels, self.names or self.labels, strict=True))
        return ("other", " or ".join(named[label] for label in self.positive))

    def encode(self, frame: "pd.DataFrame", path: str) -> np.ndarray:
        """Return classes as int64 (N,), or numbers as float32 (N,) for regression.

        Raises:
            InputError: If a cell is missing, is no known label or, for regression, no finite number.
        """
        if self.task == "regression":
            return numeric_values(frame, [self.column], path)[:, 0].astype(np.float32)
        column: Any = frame[self.column]
        texts = text_values(column, path)
        position = {label: index for index, label in enumerate(self.labels)}
        if self.positive:
            position = {label: int(label in self.positive) for label in self.labels}
        for row, text in enumerate(texts):
            if text not in position:
                raise InputError(
                    f"target '{self.column}' of {path} holds '{text}' in row "
                    f"{int(frame.index.to_numpy()[row]) + 1}; "
                    f"known labels are {_shortened(self.labels)}"
                )
        return np.array([position[text] for text in texts], dtype=np.int64)

    def strata(self, values: np.ndarray) -> np.ndarray | None:
        """Return what every part of a split gets its share of, (N,): the classes; None for regression."""
        return None if self.task == "regression" else values

    def check_parts(self, parts: Mapping[str, np.ndarray], source: str) -> None:
        """Look at the encoded values of each part of a split.

        Raises:
            InputError: If all rows of a part are of one class.
        """
        if self.task == "regression":
            return
        for part, values in parts.items():
            if len(values) and len(np.unique(values)) < 2:
                raise InputError(
                    f"all {len(values)} {part} rows of {source} are of one class "
                    f"('{self.class_names[int(values[0])]}' of target '{self.column}'); use more rows, other fractions "
                    "or stratify"
                )


def check_task(task: str) -> None:
    """Refuse an unknown task.

    Raises:
        InputError: If it is none of "binary", "multiclass" and "regression".

    Example:
        >>> check_task("binray")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: task is 'binray'; did you mean 'binary'?
    """
    known = get_args(TaskName)
    if task not in known:
        near = difflib.get_close_matches(str(task), known, n=1)
        raise InputError(
            f"task is '{task}'; " + (f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}")
        )


def _shortened(labels: tuple[str, ...]) -> str:
    return ", ".join(labels) if len(labels) <= 10 else f"{', '.join(labels[:10])}, ..."
