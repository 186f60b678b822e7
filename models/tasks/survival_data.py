"""What a survival task takes from the training rows, and whom it names when a risk is NaN.

Shapes: N training rows, T time bins, B batch.
"""

from typing import Any

import torch
from torch import Tensor

from ...errors import InputError, RunError, shown

__all__ = ["breslow_hazard", "check_risk", "equal_event_bins", "training_targets"]


def training_targets(data: Any) -> Tensor | None:
    """Return time and event of all training rows (N, 2); None where the data do not tell them without a pass."""
    if data is None:
        return None
    told: Any = getattr(data, "survival_targets", None)
    if told is not None:
        return told("train")
    tensors = getattr(data.train_dataloader(), "tensors", None)
    return None if tensors is None or tensors[-1].dim() != 2 else tensors[-1]


def equal_event_bins(target: Tensor, num_bins: int) -> Tensor:
    """Return the ends (T,) of bins that share out the events of training rows evenly; the last is the last event.

    Args:
        target: (N, 2).
        num_bins: T.

    Raises:
        InputError: If the events have too few different times.
    """
    times = target[target[:, 1] > 0, 0].double()
    if not len(times):
        raise InputError(f"all {len(target)} training rows are censored: time bins are quantiles of times of events")
    ends = torch.quantile(times, torch.arange(1, num_bins + 1, dtype=torch.float64, device=times.device) / num_bins)
    ends = ends.float()
    too_few = len(times.unique()) < num_bins
    if too_few or (ends.diff() <= 0).any() or (num_bins > 1 and ends[0] <= times.min()):
        raise InputError(
            f"num_bins is {num_bins}, but the {len(times)} events among the training rows have {len(times.unique())} "
            "different times, too few to share them out; take fewer bins"
        )
    return ends


def breslow_hazard(log_hazard: Tensor, target: Tensor, times: Tensor) -> Tensor:
    """Return Breslow's cumulative baseline hazard at some times (T,).

    Source: Breslow 1972, discussion of Cox, doi:10.1111/j.2517-6161.1972.tb00900.x.
    """
    time, event = target[:, 0].double(), target[:, 1] > 0
    order = torch.argsort(time, descending=True, stable=True)
    time, event, values = time[order], event[order], log_hazard.double()[order]
    group, size = torch.unique_consecutive(time, return_inverse=True, return_counts=True)[1:]
    at_risk = values.logcumsumexp(dim=0)[(size.cumsum(0) - 1)[group]]
    steps = torch.where(event, torch.exp(-at_risk), 0.0)
    return (steps * (time <= times.double().unsqueeze(-1))).sum(dim=-1)


def check_risk(risk: Tensor, trainer: Any, part: str, offset: int) -> None:
    """Refuse to score patients without a risk.

    Args:
        risk: (B,).
        trainer: The trainer, whose data may know the patients' names.
        part: "validation" or "test".
        offset: Rows of the part before this batch.

    Raises:
        RunError: Naming the patients whose risk is NaN.
    """
    lacking = torch.nonzero(risk.isnan()).squeeze(-1) + offset
    if not len(lacking):
        return
    told: Any = getattr(getattr(trainer, "datamodule", None), "patient_names", None)
    names = told(part) if told is not None and trainer.world_size == 1 else None
    rows = lacking.tolist()
    patients = [f"row {row}" for row in rows] if names is None else [names[row] for row in rows]
    raise RunError(
        f"the risk of {len(rows)} {part} patient{'s' if len(rows) > 1 else ''} is NaN ({shown(patients)}), which no "
        "metric may rank; look at their inputs, or at a training loss that ran away"
    )
