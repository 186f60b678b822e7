"""The survival metrics as torchmetrics classes: `update(risk or survival, target)`, target (B, 2) = time, event."""

from torch import Tensor

from .concordance import count_pairs
from .metric import SurvivalMetric

__all__ = ["ConcordanceIndex"]


class ConcordanceIndex(SurvivalMetric):
    """Harrell's C over all patients of all batches and processes, see `concordance_index`.

    It is that of one process whatever the number of rows per process; NaN without a comparable pair.

    Shapes: `update(risk (B,), target (B, 2))`; the result is a float64 scalar. `counts` holds patients, events and
    comparable_pairs.

    Source: Harrell, Lee & Mark 1996, Statistics in Medicine 15, 361-387.

    Raises:
        InputError: From `update`, if a risk is NaN or a time or event is none; rows are named by position.

    Example:
        >>> import torch
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
