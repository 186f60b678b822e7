"""Classification metrics whose undefined cases are NaN with a count.

torchmetrics 1.9 answers 0 for the AUROC of a one-class set and 0 or 1 for its average precision; a mean over
folds would silently swallow that. The classes here answer NaN and count the classes that had no say.

Shapes: N rows, C classes.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryAveragePrecision,
    BinaryCalibrationError,
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassAveragePrecision,
    MulticlassCalibrationError,
    MulticlassF1Score,
)
from torchmetrics.utilities.data import dim_zero_cat

__all__ = [
    "DefinedBinaryAUROC",
    "DefinedBinaryAveragePrecision",
    "DefinedBinaryF1Score",
    "DefinedMulticlassAUROC",
    "DefinedMulticlassAveragePrecision",
    "classification_metrics",
]


def _class_counts(target: Any, num_classes: int) -> Tensor:
    # torchmetrics holds a list before the first synchronisation and a tensor after it.
    rows = dim_zero_cat(target) if len(target) else torch.zeros(0, dtype=torch.long)
    return torch.bincount(rows.flatten().long(), minlength=num_classes)


class _DefinedForBothClasses:
    """Mixed into a binary ranking metric: NaN unless both classes have rows."""

    target: Any
    undefined_classes: int = 0

    def compute(self) -> Tensor:
        """Return the metric, or NaN."""
        counts = _class_counts(self.target, 2)
        self.undefined_classes = int((counts == 0).sum())
        if self.undefined_classes:
            return torch.tensor(torch.nan, device=counts.device)
        return super().compute()  # pyright: ignore[reportAttributeAccessIssue]


class _AveragedOverDefinedClasses:
    """Mixed into a one-vs-rest metric: the mean over classes that have some rows and not all of them."""

    target: Any
    num_classes: int
    undefined_classes: int = 0

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(num_classes, average="none", **kwargs)  # pyright: ignore[reportCallIssue]

    def compute(self) -> Tensor:
        """Return the mean over defined classes; NaN where there is none."""
        counts = _class_counts(self.target, self.num_classes)
        defined = (counts > 0) & (counts < counts.sum())
        self.undefined_classes = int((~defined).sum())
        if not defined.any():
            return torch.tensor(torch.nan, device=counts.device)
        return super().compute()[defined].mean()  # pyright: ignore[reportAttributeAccessIssue]


class DefinedBinaryAUROC(_DefinedForBothClasses, BinaryAUROC):
    """Area under the ROC curve; NaN unless both classes are present.

    Example:
        >>> metric = DefinedBinaryAUROC()
        >>> metric.update(torch.tensor([0.2, 0.7]), torch.tensor([1, 1]))
        >>> metric.compute(), metric.undefined_classes
        (tensor(nan), 1)
    """


class DefinedBinaryAveragePrecision(_DefinedForBothClasses, BinaryAveragePrecision):
    """Average precision; NaN unless both classes are present (with positives alone it is 1 whatever the scores)."""


class DefinedBinaryF1Score(BinaryF1Score):
    """F1 score; NaN when there is neither a positive row nor a positive prediction."""

    def compute(self) -> Tensor:
        """Return 2 TP / (2 TP + FP + FN), or NaN for 0 / 0."""
        counts = [torch.as_tensor(count) for count in (self.tp, self.fp, self.fn)]
        involved = counts[0] + counts[1] + counts[2]
        return torch.where(involved == 0, torch.nan, super().compute())


class DefinedMulticlassAUROC(_AveragedOverDefinedClasses, MulticlassAUROC):
    """One-vs-rest area under the ROC curve, averaged over the classes for which it is defined.

    `undefined_classes` counts those left out: classes without a row, or with every row.
    """


class DefinedMulticlassAveragePrecision(_AveragedOverDefinedClasses, MulticlassAveragePrecision):
    """One-vs-rest average precision, averaged over the classes for which it is defined."""


def classification_metrics(num_classes: int) -> MetricCollection:
    """Return accuracy, AUROC, average precision, F1 and calibration error for 2 or more classes.

    Two classes take probabilities (N,) of class 1; more take probabilities (N, C). F1 and the ranking metrics of
    several classes are macro averages, accuracy is the share of rows, calibration error is the expected
    calibration error over 15 bins (Guo et al. 2017, arXiv 1706.04599).

    Example:
        >>> metrics = classification_metrics(2)
        >>> metrics.update(torch.tensor([0.1, 0.8]), torch.tensor([0, 1]))
        >>> float(metrics.compute()["accuracy"])
        1.0
    """
    metrics: dict[str, Any]
    if num_classes == 2:
        metrics = {
            "accuracy": BinaryAccuracy(),
            "auroc": DefinedBinaryAUROC(),
            "average_precision": DefinedBinaryAveragePrecision(),
            "f1": DefinedBinaryF1Score(),
            "calibration_error": BinaryCalibrationError(n_bins=15),
        }
    else:
        metrics = {
            "accuracy": MulticlassAccuracy(num_classes, average="micro"),
            "auroc": DefinedMulticlassAUROC(num_classes),
            "average_precision": DefinedMulticlassAveragePrecision(num_classes),
            "f1": MulticlassF1Score(num_classes, average="macro"),
            "calibration_error": MulticlassCalibrationError(num_classes, n_bins=15),
        }
    # Compute groups would share states between the classes that override compute and those that do not.
    return MetricCollection(metrics, compute_groups=False)
