"""What the draws of a study's null models keep of the real hierarchy."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...structures import INVARIANTS, build_null
from ..design.fields import StudyFields
from .run_rows import RunRows
from .tables import NullQuality

__all__ = ["MEASURES", "null_qualities"]

# Quantities of `NullReport` that a run notes about its draw.
MEASURES = ("live_inputs", "live_nodes", "live_edges", "paths", "effective_depth", "edge_overlap")


def null_qualities(
    study: StudyFields, runs: RunRows, details: Mapping[str, Mapping[str, Any]]
) -> tuple[NullQuality, ...]:
    """Return one entry per null model of the study, with the quantities that its runs noted, averaged per draw.

    Args:
        study: The study's fields.
        runs: The planned runs.
        details: Per key of a run, what it noted; quantities stand under "null". What the references noted is the row
            of the real hierarchy.
    """
    arms_of: dict[str, list[str]] = {}
    for arm in study.all_arms:
        if arm.null is not None:
            null = build_null(arm.null)
            arms_of.setdefault(json.dumps(null.describe(), sort_keys=True), []).append(arm.name)
    real = {str(name): float(value) for name, value in _measured(runs.of(study.references), details).mean().items()}
    found = []
    for text, arms in arms_of.items():
        null = build_null(json.loads(text))
        draws = _measured(runs.of(arms), details)
        keeps = tuple(name for name in INVARIANTS if name in null.keeps)
        breaks = tuple(name for name in INVARIANTS if name not in null.keeps)
        found.append(NullQuality(null.name, null.describe(), keeps, breaks, tuple(arms), draws, real))
    return tuple(found)


def _measured(runs: Sequence[Mapping[str, Any]], details: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per draw: the mean of what its runs noted, which differs by fold where the null needs data."""
    noted: dict[int, list[list[float]]] = {}
    for run in runs:
        own = (details.get(run["key"]) or {}).get("null") or {}
        if own:
            noted.setdefault(run["draw"] or 0, []).append([_number(own.get(name)) for name in MEASURES])
    means = {draw: np.mean(rows, axis=0) for draw, rows in sorted(noted.items())}
    table = pd.DataFrame.from_dict(means, orient="index", columns=list(MEASURES)).rename_axis("draw")
    return table.dropna(axis=1, how="all")


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
