"""Finalists beside controls, and the winner beside the reference on rows that nobody has seen.

Legend of shapes: S seeds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..comparison.statistics import Estimate, compare_scores
from ..comparison.statistics.estimate import estimate_values
from .candidate import Candidate
from .front import evaluation_cost, pareto_front, roughness
from .novelty import known_as
from .result import Contender, FinalActivation, SelectionInflation
from .stages.runner import StageResult

__all__ = ["Entrant", "final_activations", "ranked_finalists", "selection_inflation", "to_contender"]

_LEVEL = 0.05


@dataclass(frozen=True)
class Entrant:
    """An activation that is to be trained with many seeds.

    Attributes:
        name: Its formula, or the spec of a known activation.
        kind: Where it comes from.
        spec: As networks take it.
        candidate: None for a known activation.
    """

    name: str
    kind: Literal["finalist", "known", "random"]
    spec: str
    candidate: Candidate | None = None


def over_seeds(scores: Sequence[float]) -> Estimate:
    """Return mean and interval (t) over seeds (S,), on the one split: nothing is said about other rows."""
    values = np.asarray(scores, dtype=np.float64)
    size = float(np.nanmax(np.abs(values), initial=0.0)) if np.isfinite(values).any() else 0.0
    return estimate_values(values, 0.0, _LEVEL, size)


def to_contender(entrant: Entrant, results: Sequence[StageResult], metric: str) -> Contender:
    """Return what the trainings of an entrant, one per seed, gave on validation rows."""
    scores = tuple(float(result.scores.get(metric, math.nan)) for result in results)
    candidate = entrant.candidate
    estimate = over_seeds(scores)
    if candidate is not None:
        traits = {"cost": float(evaluation_cost(candidate.formula)), "roughness": roughness(candidate.formula)}
        candidate = candidate.with_scores(**{f"finalists/{metric}": estimate.mean, **traits})
    return Contender(
        entrant.name,
        entrant.kind,
        entrant.spec,
        scores,
        estimate,
        candidate,
        None if candidate is None else known_as(candidate),
        failures=tuple(dict.fromkeys(result.error for result in results if result.error is not None)),
    )


def ranked_finalists(finalists: Sequence[Contender], sign: int) -> tuple[Contender, ...]:
    """Return finalists, best mean first, those that failed with a seed behind all others; the front is marked."""
    goals = []
    for one in finalists:
        traits = one.candidate.scores if one.candidate is not None else {}
        nodes = one.candidate.nodes if one.candidate is not None else 0
        costs = [nodes, traits.get("cost", math.nan), traits.get("roughness", math.nan)]
        goals.append([sign * one.estimate.mean, *(-cost for cost in costs)])
    marks = pareto_front(np.array(goals, dtype=np.float64))
    marked = [replace(one, on_front=mark) for one, mark in zip(finalists, marks, strict=True)]
    return tuple(sorted(marked, key=lambda one: (one.estimate.missing, _badness(one.estimate.mean, sign), _size(one))))


def _size(one: Contender) -> int:
    """Return the number of nodes: of two that are equally good the shorter one is better."""
    return one.candidate.nodes if one.candidate is not None else 0


def _badness(mean: float, sign: int) -> float:
    return -sign * mean if math.isfinite(mean) else math.inf


def final_activations(
    entrants: Sequence[Contender],
    tested: Sequence[Sequence[StageResult]],
    validated: Sequence[Sequence[StageResult]],
    metric: str,
    *,
    sign: int,
    rope: float,
    test_share: float,
) -> tuple[FinalActivation, ...]:
    """Return the winner, which is first, and the known activations, each with the winner's difference from it.

    Differences are paired by seed. All seeds share one split, so their interval is widened as for training sets that
    overlap: it must not promise more than new rows would keep.
    """
    found: list[FinalActivation] = []
    for entrant, runs, same in zip(entrants, tested, validated, strict=True):
        test = tuple(float(run.scores.get(metric, math.nan)) for run in runs)
        validation = tuple(float(run.scores.get(metric, math.nan)) for run in same)
        against = None
        if found:
            first, second = (sign * np.asarray(scores) for scores in (found[0].test_scores, test))
            against = compare_scores(first, second, test_fraction=test_share, rope=rope)
        failures = tuple(dict.fromkeys(run.error for run in runs if run.error is not None))
        estimates = over_seeds(test), over_seeds(validation)
        found.append(FinalActivation(entrant.name, entrant.spec, test, validation, *estimates, against, failures))
    return tuple(found)


def selection_inflation(
    winner: Contender, tested: Sequence[FinalActivation], metric: str, sign: int
) -> SelectionInflation:
    """Return how much the choice flattered the winner; see `SelectionInflation`."""
    own, reference = tested[0], tested[1]
    lost = own.validation.mean - own.test.mean
    usual = reference.validation.mean - reference.test.mean
    selected = winner.estimate.mean
    return SelectionInflation(
        metric,
        selected,
        own.validation.mean,
        own.test.mean,
        sign * (selected - own.validation.mean),
        sign * (lost - usual),
        reference.name,
    )
