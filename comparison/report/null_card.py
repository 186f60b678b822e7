"""null_card.json: what stands behind a claim that biology helps, so that others can check it."""

from typing import Any

import numpy as np

from ... import __version__
from ..analysis.tables import NullQuality, ReportData
from .verdicts import empirical_of, finite

__all__ = ["null_card_of"]


def null_card_of(data: ReportData) -> dict[str, Any]:
    """Return the content of null_card.json: one card per null model of the study.

    A card has `null` (class and arguments), `keeps` and `breaks` (invariants, names of `structures.INVARIANTS`; every
    draw was checked for those kept), `arms`, `draws` (planned), `p_floor` (smallest empirical p that they can give),
    `quantities` (per quantity of `NullReport`: real, mean, min, max over draws, and how many draws were measured) and
    `comparisons` (per comparison with it and metric: verdict, difference, interval, empirical test). What is undefined
    is null.
    """
    return {
        "schema": "axonlight.null_card/1",
        "axonlight": __version__,
        "study": data.name,
        "question": data.question,
        "conditions": dict(data.conditions),
        "nulls": [_card(null, data) for null in data.nulls],
    }


def _card(null: NullQuality, data: ReportData) -> dict[str, Any]:
    draws = max(data.arm(name).draws for name in null.arms)
    return {
        "name": null.name,
        "null": dict(null.null),
        "keeps": list(null.keeps),
        "breaks": list(null.breaks),
        "arms": list(null.arms),
        "draws": draws,
        "p_floor": 1 / (1 + draws),
        "quantities": {str(name): _spread(null, str(name)) for name in null.draws},
        "comparisons": [
            {
                "name": found.name,
                "metric": found.metric,
                "verdict": found.comparison.verdict,
                "difference": finite(found.comparison.difference),
                "interval": [finite(end) for end in found.comparison.interval],
                "empirical": empirical_of(found),
            }
            for found in data.comparisons
            if set(null.arms) & set(found.contrast.weights)
        ],
    }


def _spread(null: NullQuality, name: str) -> dict[str, Any]:
    values = null.draws[name].to_numpy(dtype=np.float64)
    values = values[~np.isnan(values)]
    ends = {"mean": values.mean(), "min": values.min(), "max": values.max()} if len(values) else {}
    real = null.real.get(name)
    return {"real": finite(real), **{key: finite(float(value)) for key, value in ends.items()}, "measured": len(values)}
