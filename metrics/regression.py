"""Regression metrics whose undefined cases are NaN."""

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection, R2Score

__all__ = ["DefinedR2Score", "regression_metrics"]


class DefinedR2Score(R2Score):
    """Coefficient of determination; NaN for fewer than two rows or a constant target.

    Example:
        >>> metric = DefinedR2Score()
        >>> metric.update(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 3.0]))
        >>> metric.compute()
        tensor(nan)
    """

    def compute(self) -> Tensor:
        """Return 1 - residual / total sum of squares, or NaN."""
        total = self.sum_squared_error - self.sum_error**2 / self.total
        if self.total < 2 or bool((total <= 0).any()):
            return torch.tensor(torch.nan, device=self.total.device)
        return super().compute()


def regression_metrics() -> MetricCollection:
    """Return root mean squared error, mean absolute error and R2 for predictions (N,) and targets (N,).

    Example:
        >>> metrics = regression_metrics()
        >>> metrics.update(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]))
        >>> round(float(metrics.compute()["rmse"]), 4)
        0.7071
    """
    return MetricCollection(
        {"rmse": MeanSquaredError(squared=False), "mae": MeanAbsoluteError(), "r2": DefinedR2Score()},
        compute_groups=False,
    )
