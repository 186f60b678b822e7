"""The survival metrics as torchmetrics classes: `update(predicted, target)`, target (B, 2) = time, event."""

from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from .brier import brier_score, checked_survival, integrated_brier_score
from .concordance import count_pairs
from .d_calibration import d_calibration
from .metric import SurvivalMetric
from .rows import checked_target, refuse, split_target
from .time_dependent_auc import time_dependent_auc
from .uno import uno_terms
from .weights import as_times

__all__ = [
    "BrierScore",
    "ConcordanceIndex",
    "DCalibration",
    "IntegratedBrierScore",
    "TimeDependentAUC",
    "UnoConcordance",
]


class ConcordanceIndex(SurvivalMetric):
    """Harrell's C over all patients of all batches and processes, see `concordance_index`.

    It is that of one process whatever the number of rows per process; NaN without a comparable pair.

    Shapes: `update(risk (B,), target (B, 2))`; the result is a float64 scalar. `counts` holds patients, events and
    comparable_pairs.

    Source: Harrell, Lee & Mark 1996, Statistics in Medicine 15, 361-387.

    Raises:
        InputError: From `update`, if a risk is NaN or a time or event is none; rows are named by position.

    Example:
        >>> metric = ConcordanceIndex()
        >>> metric.update(torch.tensor([0.9, 0.4, 0.4]), torch.tensor([[2.0, 1.0], [5.0, 1.0], [7.0, 0.0]]))
        >>> metric.compute(), metric.counts["comparable_pairs"]
        (tensor(0.8333, dtype=torch.float64), 3)
    """

    higher_is_better = True

    def _result(self, values: Tensor, time: Tensor, event: Tensor) -> Tensor:
        pairs = count_pairs(values[:, 0], time, event)
        comparable = pairs.comparable.sum()
        self.counts["comparable_pairs"] = int(comparable)
        return pairs.credit.sum() / comparable.double()


class _WeightedMetric(SurvivalMetric):
    """A metric with weights that come from the training patients."""

    def __init__(self, training_target: Tensor | None = None, columns: int = 1, **kwargs: Any) -> None:
        super().__init__(columns, **kwargs)
        # Neither a state, which would be gathered and reset, nor a buffer, which `half()` would round.
        self._training_target: Tensor | None = None
        if training_target is not None:
            self.fit(training_target)

    def fit(self, training_target: Tensor) -> None:
        """Take the censoring weights from training patients, (N, 2) time and event, in the precision of the target.

        Raises:
            InputError: If a row cannot be used; it is named by position.
        """
        time, event = checked_target(*split_target(training_target))
        self._training_target = torch.stack([time, event.double()], dim=1)

    def _training(self, like: Tensor) -> Tensor:
        if self._training_target is None:
            raise InputError(f"{type(self).__name__} has no training patients; give training_target, or call fit")
        return self._training_target.to(like.device)


class UnoConcordance(_WeightedMetric):
    """Uno's C over all patients, see `uno_concordance`.

    Shapes: `update(risk (B,), target (B, 2))`; the result is a float64 scalar. `counts` also holds
    events_with_comparable_patients, those that the result is made of, and events_without_weight, those left out
    because the training patients do not tell their weight.

    Source: Uno, Cai, Pencina, D'Agostino & Wei 2011, Statistics in Medicine 30, 1105-1117.

    Args:
        training_target: (N, 2) time and event of the training patients; or call `fit` before `compute`.
        tau: Events before this time count; None for as long as weights are known.

    Raises:
        InputError: From `update`, if a row cannot be used; from `compute`, without training patients.

    Example:
        >>> target = torch.tensor([[2.0, 1.0], [3.0, 0.0], [5.0, 1.0], [7.0, 1.0]])
        >>> metric = UnoConcordance(target)
        >>> metric.update(torch.tensor([0.1, 0.4, 0.3, 0.2]), target)
        >>> metric.compute(), metric.counts["events_without_weight"]
        (tensor(0.4286, dtype=torch.float64), 0)
    """

    higher_is_better = True

    def __init__(self, training_target: Tensor | None = None, tau: float | None = None, **kwargs: Any) -> None:
        super().__init__(training_target, **kwargs)
        self.tau = tau

    def _result(self, values: Tensor, time: Tensor, event: Tensor) -> Tensor:
        concordant, comparable, is_missed = uno_terms(values[:, 0], time, event, self._training(time), self.tau)
        self.counts["events_with_comparable_patients"] = int((comparable > 0).sum())
        self.counts["events_without_weight"] = int(is_missed.sum())
        return concordant.sum() / comparable.sum()


class _TimedMetric(_WeightedMetric):
    """A metric at given times; `per_time` holds its values (T,) after `compute`."""

    per_time: Tensor

    def __init__(self, times: Any, training_target: Tensor | None = None, **kwargs: Any) -> None:
        self._times = as_times(times).tolist()
        super().__init__(training_target, len(self._times), **kwargs)

    @property
    def times(self) -> list[float]:
        """The times, ascending."""
        return self._times

    def _keep(self, per_time: Tensor) -> None:
        self.per_time = per_time
        self.counts["undefined_times"] = int(torch.isnan(per_time).sum())


class TimeDependentAUC(_TimedMetric):
    """Cumulative/dynamic area under the ROC curve, the mean over times; see `time_dependent_auc`.

    Shapes: `update(risk (B,) or (B, T), target (B, 2))`; the result is a float64 scalar, `per_time` holds (T,). Times
    without cases or without controls are left out of the mean and counted in `counts["undefined_times"]`.

    Source: Uno, Cai, Tian & Wei 2007, JASA 102, 527-537; Lambert & Chevret 2016 for the mean.

    Args:
        times: One time, or T in ascending order.
        training_target: (N, 2) time and event of the training patients; or call `fit` before `compute`.

    Raises:
        InputError: If the times do not ascend; from `update`, if a row cannot be used.

    Example:
        >>> target = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 0.0]])
        >>> metric = TimeDependentAUC([1.5, 2.5], target)
        >>> metric.update(torch.tensor([3.0, 1.0, 2.0, 0.0]), target)
        >>> metric.compute(), metric.per_time
        (tensor(0.8750, dtype=torch.float64), tensor([1.0000, 0.7500], dtype=torch.float64))
    """

    higher_is_better = True

    def _checked(self, predicted: Tensor, rows: int) -> Tensor:
        if predicted.ndim == 2 and predicted.shape == (rows, self.columns):
            refuse("risk", torch.isnan(predicted), "NaN", "a patient without a risk cannot be ranked")
            return predicted.detach().double()
        return super()._checked(predicted, rows).expand(-1, self.columns)

    def _result(self, values: Tensor, time: Tensor, event: Tensor) -> Tensor:
        per_time, mean = time_dependent_auc(values, time, event, self.times, self._training(time))
        self._keep(per_time)
        return mean


class BrierScore(_TimedMetric):
    """Brier score of predicted survival, weighted for censoring; see `brier_score`.

    Shapes: `update(survival (B, T), target (B, 2))`, (B,) for one time; the result is float64 (T,), a scalar for one
    time.

    Source: Graf, Schmoor, Sauerbrei & Schumacher 1999, Statistics in Medicine 18, 2529-2545.

    Args:
        times: One time, or T in ascending order.
        training_target: (N, 2) time and event of the training patients; or call `fit` before `compute`.

    Raises:
        InputError: If the times do not ascend; from `update`, if a row cannot be used.

    Example:
        >>> target = torch.tensor([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0], [4.0, 0.0]])
        >>> metric = BrierScore(2.5, target)
        >>> metric.update(torch.full((4,), 0.5), target)
        >>> metric.compute()
        tensor(0.2500, dtype=torch.float64)
    """

    higher_is_better = False

    def _checked(self, predicted: Tensor, rows: int) -> Tensor:
        return checked_survival(predicted, rows, self.columns)

    def _result(self, values: Tensor, time: Tensor, event: Tensor) -> Tensor:
        self._keep(brier_score(values, time, event, self.times, self._training(time)))
        return self.per_time if self.columns > 1 else self.per_time[0]


class IntegratedBrierScore(_TimedMetric):
    """Brier score's mean between the first and the last time; see `integrated_brier_score`.

    Shapes: `update(survival (B, T), target (B, 2))`; the result is a float64 scalar, NaN if the score is undefined at
    one of the times (`counts["undefined_times"]`); `per_time` holds the score at each.

    Source: Graf, Schmoor, Sauerbrei & Schumacher 1999, Statistics in Medicine 18, 2529-2545.

    Args:
        times: Two or more, in ascending order.
        training_target: (N, 2) time and event of the training patients; or call `fit` before `compute`.

    Raises:
        InputError: If the times do not ascend or are fewer than two; from `update`, if a row cannot be used.

    Example:
        >>> target = torch.tensor([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0], [4.0, 0.0]])
        >>> metric = IntegratedBrierScore([1.5, 2.5], target)
        >>> metric.update(torch.full((4, 2), 0.5), target)
        >>> metric.compute()
        tensor(0.2500, dtype=torch.float64)
    """

    higher_is_better = False

    def __init__(self, times: Any, training_target: Tensor | None = None, **kwargs: Any) -> None:
        super().__init__(times, training_target, **kwargs)
        if self.columns < 2:
            raise InputError(f"times hold one time, {self.times[0]:g}; an integral needs two or more")

    def _checked(self, predicted: Tensor, rows: int) -> Tensor:
        return checked_survival(predicted, rows, self.columns)

    def _result(self, values: Tensor, time: Tensor, event: Tensor) -> Tensor:
        training = self._training(time)
        self._keep(brier_score(values, time, event, self.times, training))
        return integrated_brier_score(values, time, event, self.times, training)


class DCalibration(SurvivalMetric):
    """P-value of distribution calibration: small where predicted survival is not right as a probability.

    Shapes: `update(survival (B,), target (B, 2))` with each patient's predicted survival at the patient's own time;
    the result is a float64 scalar, NaN without patients; `statistic` and `histogram` (bins,) are kept. See
    `d_calibration`.

    Source: Haider, Hoehn, Davis & Greiner 2020, JMLR 21(85).

    Args:
        bins: Number of bins of equal width.

    Raises:
        InputError: If `bins` is below 2; from `update`, if a row cannot be used.

    Example:
        >>> metric = DCalibration(bins=2)
        >>> metric.update(torch.tensor([0.9, 0.2]), torch.tensor([[1.0, 1.0], [5.0, 1.0]]))
        >>> metric.compute(), metric.histogram
        (tensor(1., dtype=torch.float64), tensor([1., 1.], dtype=torch.float64))
    """

    higher_is_better = True
    statistic: Tensor
    histogram: Tensor

    def __init__(self, bins: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if bins < 2:
            raise InputError(f"bins is {bins}; it must be 2 or more")
        self.bins = bins

    def _checked(self, predicted: Tensor, rows: int) -> Tensor:
        return checked_survival(predicted, rows, 1)

    def _result(self, values: Tensor, time: Tensor, event: Tensor) -> Tensor:
        self.statistic, p_value, self.histogram = d_calibration(values[:, 0], event, self.bins)
        return p_value
