"""What the survival metrics share: rows gathered over all processes, and NaN with counts where nothing is defined."""

import logging
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from .rows import as_column, checked_target, refuse, split_target

__all__ = ["SurvivalMetric"]

log = logging.getLogger(__name__)


class SurvivalMetric(Metric):
    """Keeps one row per patient: what was predicted, then time and event, all as float64.

    None of these metrics is a mean over batches, so every process keeps its rows, whatever their number, and
    `compute` sees those of all processes. Samplers that repeat patients to give all ranks the same number of rows
    (torch's DistributedSampler does) would count them twice: give `update` the patients' numbers, and each counts once.

    Attributes:
        counts: What the last `compute` was based on, for instance patients, events and comparable pairs. Where the
            metric is NaN they say why, and a warning has been logged.
    """

    is_differentiable = False
    full_state_update = False
    counts: dict[str, int]
    rows: Any

    def __init__(self, columns: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.columns = columns
        self.counts = {}
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, predicted: Tensor, target: Tensor, patient: Tensor | None = None) -> None:
        """Add patients.

        Args:
            predicted: (B,), or (B, T) where the metric has T times.
            target: (B, 2): time, event.
            patient: (B,) whole numbers that tell patients apart; a patient that comes again is left out.

        Raises:
            InputError: If a prediction is NaN, a time negative or not finite, an event neither 0 nor 1, or a shape
                another; rows are named by position.
        """
        time, event = checked_target(*split_target(target))
        values = self._checked(predicted, len(time))
        number = torch.full_like(time, torch.nan) if patient is None else as_column("patient", patient, len(time))
        self.rows.append(torch.cat([values, torch.stack([time, event.double(), number], dim=1)], dim=1))

    def compute(self) -> Tensor:
        """Return the metric over the patients of all processes; NaN where it is undefined."""
        rows = _without_repeats(dim_zero_cat(self.rows) if len(self.rows) else self._no_rows())
        values, time, event = rows[:, : self.columns], rows[:, -3], rows[:, -2].bool()
        self.counts = {"patients": len(rows), "events": int(event.sum())}
        result = self._result(values, time, event)
        if torch.isnan(result).any():
            found = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in self.counts.items())
            log.warning("%s is undefined (NaN): %s", type(self).__name__, found)
        return result

    def _checked(self, predicted: Tensor, rows: int) -> Tensor:
        """Return predictions as float64 (rows, columns), or raise InputError."""
        risk = as_column("risk", predicted, rows)
        refuse("risk", torch.isnan(risk), "NaN", "a patient without a risk cannot be ranked")
        return risk[:, None]

    def _result(self, values: Tensor, time: Tensor, event: Tensor) -> Tensor:
        """Return the metric of all rows, and add to `counts` what it was based on."""
        raise NotImplementedError

    def _no_rows(self) -> Tensor:
        return torch.zeros(0, self.columns + 3, dtype=torch.float64, device=self.device)

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        # A process without patients would offer a one-dimensional tensor, which does not gather with the others'.
        if not len(self.rows):
            self.rows = [self._no_rows()]
        super()._sync_dist(*args, **kwargs)


def _without_repeats(rows: Tensor) -> Tensor:
    number = rows[:, -1]
    is_named = ~torch.isnan(number)
    if not is_named.any():
        return rows
    named = rows[is_named]
    order = torch.argsort(named[:, -1], stable=True)
    ordered = named[order]
    is_first = torch.ones(len(ordered), dtype=torch.bool, device=rows.device)
    is_first[1:] = ordered[1:, -1] != ordered[:-1, -1]
    # As they came: then no result depends on whether patients were numbered.
    kept = order[is_first].sort().values
    return torch.cat([named[kept], rows[~is_named]])
