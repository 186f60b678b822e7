"""What an audit measures: a score of predictions, and how sure its change is.

Shapes: n rows, R draws of one probe.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from scipy.stats import t as student
from torch import Tensor

from ...errors import InputError
from ...metrics.survival import concordance_difference, concordance_index

__all__ = ["AuditScore", "ScoreChange", "audit_score"]

_Score = Callable[[Tensor, Tensor], Tensor]


class ScoreChange(NamedTuple):
    """A score before and after a probe; NaN where it is undefined.

    Attributes:
        before: The score of the model as it is.
        after: Mean of the scores of the R draws.
        deviation: Standard deviation of the draws; NaN for one.
        change: after - before.
        standard_error: Of the change, over rows, paired.
        interval: Its two ends.
        p_value: Two-sided, of no change.

    Example:
        >>> target = torch.tensor([0.0, 1.0, 2.0, 3.0])
        >>> change = audit_score("squared_error").change(target, target[None] + 2, target)
        >>> change.before, change.after, change.change
        (0.0, 4.0, 4.0)
    """

    before: float
    after: float
    deviation: float
    change: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True)
class AuditScore:
    """A score with a paired interval of its change.

    Args:
        name: What it is called.
        higher_is_better: Whether a model that uses an input loses when the score falls.
        of_rows: Maps predictions (n, ...) and targets to one number per row, whose mean is the score; None for the
            concordance index of risks (n,) and targets (n, 2), time and event.

    Example:
        >>> audit_score("c_index").higher_is_better
        True
    """

    name: str
    higher_is_better: bool = True
    of_rows: _Score | None = None

    @property
    def title(self) -> str:
        """The name as people write it."""
        return "C-index" if self.name == "c_index" else self.name.replace("_", " ")

    def value(self, predictions: Tensor, target: Tensor) -> float:
        """Return the score of predictions (n, ...)."""
        if self.of_rows is not None:
            return float(self.of_rows(predictions, target).mean())
        return float(concordance_index(predictions, *target.unbind(1)))

    def change(self, before: Tensor, after: Tensor, target: Tensor, confidence: float = 0.95) -> ScoreChange:
        """Return how the score changes from predictions (n, ...) to those of R draws (R, n, ...).

        The interval is over rows, paired: of the mean over draws of the change. For the concordance index it is the
        delete-one jackknife of `concordance_difference`, else that of a paired t-test.
        """
        values = torch.tensor([self.value(draw, target) for draw in after], dtype=torch.float64)
        deviation = float(values.std()) if len(values) > 1 else float("nan")
        start = self.value(before, target)
        if self.of_rows is None:
            found = concordance_difference(after, before, *target.unbind(1), confidence=confidence)
            change, error, interval, p_value = found[:4]
        else:
            rows = torch.stack([self.of_rows(draw, target) for draw in after]).double().mean(0)
            change, error, interval, p_value = _paired(rows - self.of_rows(before, target).double(), confidence)
        return ScoreChange(start, float(values.mean()), deviation, change, error, interval, p_value)


def _paired(differences: Tensor, confidence: float) -> tuple[float, float, tuple[float, float], float]:
    rows = len(differences)
    mean = float(differences.mean())
    error = float(differences.std()) / rows**0.5 if rows > 1 else float("nan")
    width = float(student.ppf(0.5 + confidence / 2, max(rows - 1, 1))) * error
    p_value = float(2 * student.sf(abs(mean) / error, rows - 1)) if error > 0 else float("nan")
    return mean, error, (mean - width, mean + width), p_value


def _right(predictions: Tensor, target: Tensor) -> Tensor:
    chosen = (predictions > 0.5).long() if predictions.dim() == 1 else predictions.argmax(1)
    return (chosen == target.long()).double()


def _squares(predictions: Tensor, target: Tensor) -> Tensor:
    return (predictions - target).double().square()


_SCORES = {
    score.name: score
    for score in (
        AuditScore("c_index"),
        AuditScore("accuracy", of_rows=_right),
        AuditScore("squared_error", higher_is_better=False, of_rows=_squares),
    )
}


def audit_score(name: str) -> AuditScore:
    """Return a score by name: "c_index" (survival), "accuracy" (classes) or "squared_error" (numbers).

    Raises:
        InputError: If there is no such score.

    Example:
        >>> predicted, truth = torch.tensor([0.9, 0.2, 0.7]), torch.tensor([1, 0, 0])
        >>> round(audit_score("accuracy").value(predicted, truth), 3)
        0.667
    """
    if name not in _SCORES:
        raise InputError(f"score is {name!r}; it must be one of {', '.join(_SCORES)}")
    return _SCORES[name]
