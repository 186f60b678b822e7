"""Dose-response: the score of a reference as a growing share of its edges is rewired.

Shapes: S splits, D doses.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..design.arms import Arm
from ..design.fields import StudyFields
from ..statistics import estimate_mean
from .contrasts import peers_of
from .resampling import Resampling
from .scores import Cubes, split_scores
from .tables import DoseResponse

__all__ = ["dose_responses", "rewired_fraction", "slopes"]

Floats: TypeAlias = NDArray[np.float64]


def rewired_fraction(arm: Arm) -> float | None:
    """Return the share of edges that an arm rewires, None where its null is another.

    Example:
        >>> rewired_fraction(Arm("half", null={"class_path": "Rewire", "init_args": {"fraction": 0.5}}))
        0.5
    """
    null = arm.null
    if not isinstance(null, Mapping) or str(null.get("class_path", "")).rsplit(".", 1)[-1] != "Rewire":
        return None
    fraction = (null.get("init_args") or {}).get("fraction")
    return None if fraction is None else float(fraction)


def slopes(doses: Sequence[float], scores: Floats) -> Floats:
    """Return the least-squares slope of every split (S,) over doses (D,); NaN with fewer than two defined scores.

    Example:
        >>> slopes([0, 0.5, 1], np.array([[0.9, 0.8, 0.7]])).round(3).tolist()
        [-0.2]
    """
    found = np.full(len(scores), np.nan)
    x = np.asarray(doses, dtype=np.float64)
    for place, row in enumerate(scores):
        known = np.isfinite(row)
        centred = x[known] - x[known].mean() if known.any() else x[known]
        if np.any(centred != 0):
            found[place] = float(centred @ row[known] / (centred @ centred))
    return found


def dose_responses(study: StudyFields, cubes: Mapping[str, Cubes], resampling: Resampling) -> tuple[DoseResponse, ...]:
    """Return one curve per reference and metric that has at least one rewired arm.

    Args:
        study: The study's fields.
        cubes: Per metric and arm, scores (S, K seeds, draws).
        resampling: Shares of rows that a split tests and trains on.
    """
    found = []
    for reference in study.references:
        own = study.arm(reference)
        peers = [study.arm(name) for name in peers_of(study, reference)]
        # what is stimulated in another way differs by more than its edges
        alike = [arm for arm in peers if (arm.protocol, arm.control) == (own.protocol, own.control)]
        rewired = {arm.name: rewired_fraction(arm) for arm in alike}
        doses = {reference: 0.0, **{arm: dose for arm, dose in rewired.items() if dose is not None}}
        arms = tuple(sorted(doses, key=doses.__getitem__))
        fractions = tuple(doses[arm] for arm in arms)
        if len(arms) > 1:
            for metric, scores in cubes.items():
                table = np.stack([split_scores(scores[arm]) for arm in arms], axis=1)
                slope = estimate_mean(slopes(fractions, table), **resampling._asdict())
                found.append(DoseResponse(reference, metric, arms, fractions, table, slope))
    return tuple(found)
