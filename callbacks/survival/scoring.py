"""A model's concordance beside that of simple models on the same patients.

Shapes: M test patients, T times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...baselines import survival_risks
from ...metrics.survival import (
    ConcordanceDifference,
    ConcordanceInterval,
    UnoConcordance,
    concordance_difference,
    concordance_interval,
    integrated_brier_score,
)
from .predicting import Predicted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SurvivalScores", "score_beside_floors"]

MODEL = "model"


@dataclass(frozen=True)
class SurvivalScores:
    """Concordance of the model and of every floor, and the model's lead.

    Attributes:
        risks: Risks (M,) of the model and of the floors, by name.
        concordance: Harrell's C of each, with an interval over patients.
        lead: Concordance of the model less that of each floor, paired.
        uno: Uno's C of each.
        brier: Integrated Brier score of the model; NaN where it has no survival curve.

    Example:
        >>> import torch
        >>> target = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]])
        >>> predicted = Predicted(torch.tensor([4.0, 3.0, 2.0, 1.0]), target, torch.full((4, 2), 0.5))
        >>> scores = score_beside_floors(predicted, {}, target, torch.tensor([1.5, 2.5]))
        >>> scores.concordance["model"].value, scores.best_floor
        (1.0, None)
    """

    risks: dict[str, np.ndarray]
    concordance: dict[str, ConcordanceInterval]
    lead: dict[str, ConcordanceDifference]
    uno: dict[str, float]
    brier: float

    @property
    def best_floor(self) -> str | None:
        """The floor with the highest concordance on these very patients; None without floors that have one."""
        known = {name: found.value for name, found in self.concordance.items() if name != MODEL}
        known = {name: value for name, value in known.items() if not np.isnan(value)}
        return max(known, key=known.__getitem__) if known else None

    def table(self) -> "pd.DataFrame":
        """Return one row per model: name, C-index with interval, Uno's C, the model's lead with interval and p."""
        import pandas as pd

        rows = []
        for name, found in self.concordance.items():
            lead = self.lead.get(name)
            low, high = (np.nan, np.nan) if lead is None else lead.interval
            rows.append(
                {
                    "name": name,
                    "c_index": found.value,
                    "low": found.interval[0],
                    "high": found.interval[1],
                    "comparable_pairs": found.comparable_pairs,
                    "uno_c_index": self.uno[name],
                    "integrated_brier_score": self.brier if name == MODEL else np.nan,
                    "model_lead": np.nan if lead is None else lead.difference,
                    "lead_low": low,
                    "lead_high": high,
                    "lead_p": np.nan if lead is None else lead.p_value,
                }
            )
        return pd.DataFrame(rows)


def score_beside_floors(
    predicted: Predicted,
    views: Mapping[str, tuple[Any, ...]],
    training_target: Tensor,
    times: Tensor | None = None,
    seed: int = 0,
) -> SurvivalScores:
    """Fit the floors on the training rows and score them and the model on the same test patients.

    Args:
        predicted: What the model says about the test patients.
        views: Name -> (training rows, test rows), see `baselines.survival_risks`; empty for no floors.
        training_target: (N, 2) time and event of the training rows, in the order of the views' rows.
        times: Times of the survival curves between which the Brier score is integrated; None: no Brier score.
        seed: Seed of the floors' inner folds.

    Raises:
        InputError: If a risk is NaN or the views do not fit the targets.

    Example:
        >>> x = np.linspace(1, -1, 20)[:, None]
        >>> target = torch.stack([torch.linspace(1, 9, 20), torch.ones(20)], dim=1)
        >>> predicted = Predicted(torch.arange(20.0) % 7, target, torch.ones(20, 1))
        >>> scores = score_beside_floors(predicted, {"rna": (x, x)}, target)
        >>> scores.best_floor, round(scores.concordance["rna"].value, 2), scores.lead["rna"].difference < 0
        ('rna', 1.0, True)
    """
    time, event = predicted.target.double().unbind(dim=1)
    risks = {MODEL: predicted.risk.double().numpy()}
    if views:
        pairs = {name: (view[0], view[1]) for name, view in views.items()}
        found = survival_risks(pairs, training_target.numpy(), seed=seed)
        risks |= {name: risk for name, risk in found.items() if name != "constant"}
    uno = {}
    for name, risk in risks.items():
        metric = UnoConcordance(training_target)
        metric.update(torch.from_numpy(risk), predicted.target)
        uno[name] = float(metric.compute())
    return SurvivalScores(
        risks,
        {name: concordance_interval(risk, time, event) for name, risk in risks.items()},
        {
            name: concordance_difference(risks[MODEL], risk, time, event)
            for name, risk in risks.items()
            if name != MODEL
        },
        uno,
        _brier(predicted, training_target, times),
    )


def _brier(predicted: Predicted, training_target: Tensor, times: Tensor | None) -> float:
    if times is None or len(times) < 2 or predicted.survival.isnan().any():
        return float("nan")
    time, event = predicted.target.double().unbind(dim=1)
    curves = predicted.survival[:, : len(times)].double()
    return float(integrated_brier_score(curves, time, event, times.tolist(), training_target.double()))
