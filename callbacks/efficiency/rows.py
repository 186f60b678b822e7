"""The trivial model on the rows of a run, and tables of other runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from torch import Tensor

from ...baselines import classification_floors, regression_floors
from ...errors import InputError
from .comparing import efficiency_score

__all__ = ["Floor", "floor_of", "read_runs"]

# Columns above which a ridge regression takes minutes.
_WIDEST = 20_000


@dataclass(frozen=True)
class Floor:
    """The trivial model on the same rows.

    Example:
        >>> round(Floor("ridge logistic regression", 55, 0.80).efficiency, 2)
        0.46
    """

    name: str
    parameters: int
    score: float

    @property
    def efficiency(self) -> float:
        """Its score / log10(parameters)."""
        return efficiency_score(self.score, self.parameters)


def floor_of(trainer: Trainer, metric: str, module: Any) -> Floor | None:
    """Fit ridge (logistic) regression on the training rows and score it on the test rows.

    Returns:
        The floor; None where the rows are no table of numbers with one target, or the floor has no such metric.
    """
    data: Any = getattr(trainer, "datamodule", None)
    if data is None:
        return None
    train, test = (_rows(loader) for loader in (data.train_dataloader(), data.test_dataloader()))
    if train is None or test is None or train[0].shape[1] > _WIDEST:
        return None
    classes = getattr(module, "num_classes", None)
    rows = (*train, *test)
    if classes is None:
        name, found = "ridge regression", regression_floors(*rows, floors=["ridge"])["ridge"]
    else:
        name = "ridge logistic regression"
        found = classification_floors(*rows, floors=["ridge_logistic"], num_classes=classes)["ridge_logistic"]
    score = found.get(metric.removeprefix("test/"))
    outputs = classes if classes is not None and classes > 2 else 1
    return None if score is None else Floor(name, outputs * (train[0].shape[1] + 1), score)


def _rows(loader: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return features (N, F) and targets (N,) of a loader; None if its batches are something else."""
    batches: Iterable[Any] = [tensors] if (tensors := getattr(loader, "tensors", None)) is not None else loader
    parts = []
    for batch in batches:
        if not isinstance(batch, (list, tuple)) or len(batch) != 2 or not all(isinstance(v, Tensor) for v in batch):
            return None
        x, y = batch
        if x.dim() < 2 or not x.is_floating_point() or y.dim() != 1:
            return None
        parts.append((x.detach().cpu().flatten(1).double().numpy(), y.detach().cpu().numpy()))
    if not parts:
        return None
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def read_runs(path: str | Path, metric: str) -> dict[int, list[float]]:
    r"""Read the scores of other runs by their number of parameters.

    Raises:
        InputError: If the table lacks a column.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "runs.csv"
        ...     _ = path.write_text("parameters,auroc\n5825,0.89\n5825,0.90\n31801,0.92\n")
        ...     read_runs(path, "test/auroc")
        {5825: [0.89, 0.9], 31801: [0.92]}
    """
    import pandas as pd

    path = Path(path)
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    names = [metric, metric.removeprefix("test/"), "score"]
    score = next((name for name in names if name in table), None)
    if "parameters" not in table or score is None:
        raise InputError(
            f"runs is {path}, whose columns are {', '.join(map(str, table.columns))}; it needs 'parameters' and one of "
            f"{', '.join(names)}"
        )
    grouped = table.dropna(subset=["parameters", score]).groupby("parameters")[score]
    return {int(size): scores.tolist() for size, scores in grouped}  # pyright: ignore[reportArgumentType]
