"""verdicts.json: the answer of a study for programs."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ... import __version__
from ..analysis.tables import ArmSummary, ClaimResult, NamedComparison, ReportData
from ..design.claims import CLAIMS

__all__ = ["VERDICTS_SCHEMA", "finite", "verdicts_of"]

_NUMBER = {"type": ["number", "null"], "description": "null where undefined"}
_INTERVAL = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_TEXT, _COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}


def _said(of: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {**of, "description": description}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


_EMPIRICAL = _object(
    p=_said(_NUMBER, "(1 + draws at least as good) / (1 + draws), one-sided"),
    z=_said(_NUMBER, "distance from the mean of the draws in their standard deviations"),
    percentile=_said(_NUMBER, "percentage of draws that the real score beats"),
    floor=_said(_NUMBER, "smallest p that so many draws can give"),
    exceeding=_said(_COUNT, "draws at least as good"),
    count=_said(_COUNT, "draws with a score on every split"),
    left_out=_said(_COUNT, "draws without"),
    real=_said(_NUMBER, "the real arm's mean over splits"),
    mean=_said(_NUMBER, "mean of the draws"),
    deviation=_said(_NUMBER, "standard deviation of the draws"),
)
_COMPARISON = _object(
    name=_TEXT,
    group=_said({"enum": ["planned", "floors"]}, "p-values are corrected within a group"),
    weights=_said({"type": "object", "additionalProperties": {"type": "number"}}, "weight of each arm"),
    metric=_TEXT,
    decides=_said({"type": "boolean"}, "whether the metric is the one that verdicts of the study rest on"),
    verdict=_said({"enum": ["better", "worse", "equivalent", "inconclusive"]}, "of the first against the second"),
    rule=_said(_TEXT, "which rule gave the verdict, with its figures"),
    difference=_said(_NUMBER, "mean over splits; positive speaks for the first, whatever the metric's direction"),
    interval=_said(_INTERVAL, "of this comparison alone, corrected for overlapping training sets"),
    rope=_said(_NUMBER, "half width of the region of practical equivalence"),
    p_value=_said(_NUMBER, "of the difference, corrected for the group"),
    p_equivalence=_said(_NUMBER, "of both one-sided tests, corrected for the group"),
    p_corrected=_said(_NUMBER, "of the difference alone (Nadeau and Bengio)"),
    p_equivalence_alone=_said(_NUMBER, "of the equivalence alone"),
    p_wilcoxon=_said(_NUMBER, "signed ranks; ignores that training sets overlap"),
    p_permutation=_said(_NUMBER, "random signs; ignores that training sets overlap"),
    p_uncorrected=_said(_NUMBER, "paired t; ignores that training sets overlap"),
    probabilities=_said({"type": "object"}, "posterior of worse, equivalent, better (Bayesian correlated t)"),
    effect_size=_said(_NUMBER, "difference in standard deviations over splits"),
    count=_said(_COUNT, "splits with both scores"),
    missing=_said(_COUNT, "splits without"),
    level=_said(_NUMBER, "probability of a false verdict that the rule allows"),
    adjustment=_said(_TEXT, "how p-values were corrected"),
    family=_said(_COUNT, "how many comparisons were corrected together"),
    empirical=_said({"oneOf": [_EMPIRICAL, {"type": "null"}]}, "the real arm among the draws of its null model"),
)
_ARM = _object(
    name=_TEXT,
    kind={"enum": ["network", "null", "dense", "floor"]},
    is_floor={"type": "boolean"},
    null=_said({"type": ["object", "null"]}, "class_path and init_args of the null model"),
    draws=_COUNT,
    parameters={"type": ["integer", "null"]},
    runs=_object(done=_COUNT, failed=_COUNT, waiting=_COUNT),
    scores=_said(
        {"type": "object", "additionalProperties": _object(mean=_NUMBER, interval=_INTERVAL, count=_COUNT)},
        "per metric: mean over splits, corrected interval, splits with a score",
    ),
    undefined=_said({"type": "object"}, "per metric: finished runs without a defined value"),
)
_CLAIM = _object(
    kind={"enum": list(CLAIMS)},
    subject=_said(_TEXT, "the arms that it is about"),
    outcome=_said(_TEXT, "shown, refuted, not decided or not shown, and why"),
    comparisons=_said({"type": "array", "items": _TEXT}, "names of the comparisons that it rests on"),
)
_STIMULATION = _object(
    arm=_TEXT,
    stimulus=_TEXT,
    opsin=_TEXT,
    site=_TEXT,
    phase=_TEXT,
    units=_COUNT,
    steps=_said(_TEXT, "in which steps it shone"),
    batches=_said(_NUMBER, "lit batches, the mean over runs"),
    dose=_said(_NUMBER, "light times expression, summed over lit batches, the mean over runs"),
)
VERDICTS_SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Verdicts of an axonlight study",
    **_object(
        schema={"const": "axonlight.verdicts/1"},
        axonlight=_said(_TEXT, "version that wrote the file"),
        study=_TEXT,
        question=_TEXT,
        metrics={"type": "array", "items": _TEXT},
        references={"type": "array", "items": _TEXT},
        folds=_COUNT,
        repeats=_COUNT,
        seeds=_COUNT,
        comparisons={"type": "array", "items": _COMPARISON},
        arms={"type": "array", "items": _ARM},
        claims={"type": "array", "items": _CLAIM},
        stimulation=_said({"type": "array", "items": _STIMULATION}, "what light did in which arm"),
        notes=_said({"type": "array", "items": _TEXT}, "what else a reader must know: controls that do not exist"),
        needed=_said({"type": "object"}, "per comparison: what a decision still needs, in sentences"),
        failures={"type": "array", "items": _object(arm=_TEXT, error=_TEXT, runs=_COUNT, first=_TEXT)},
        conditions={"type": "object", "additionalProperties": _TEXT},
    ),
}
"""JSON Schema of verdicts.json."""


def verdicts_of(data: ReportData) -> dict[str, Any]:
    """Return the content of verdicts.json, by `VERDICTS_SCHEMA`."""
    return {
        "schema": "axonlight.verdicts/1",
        "axonlight": __version__,
        "study": data.name,
        "question": data.question,
        "metrics": list(data.metrics),
        "references": list(data.references),
        "folds": data.folds,
        "repeats": data.repeats,
        "seeds": data.seeds,
        "comparisons": [_comparison(found, data.metrics[0]) for found in (*data.comparisons, *data.floors)],
        "arms": [_arm(arm) for arm in data.arms],
        "claims": [_claim(claim) for claim in data.claims],
        "stimulation": [asdict(one) for one in data.stimulation],
        "notes": list(data.notes),
        "needed": {name: list(said) for name, said in data.planning.items()},
        "failures": [asdict(group) for group in data.failures],
        "conditions": dict(data.conditions),
    }


def finite(value: float | None) -> float | None:
    """Return a number, or None where it is not finite.

    Example:
        >>> finite(0.5), finite(float("nan"))
        (0.5, None)
    """
    return value if value is not None and math.isfinite(value) else None


def _comparison(found: NamedComparison, deciding: str) -> dict[str, Any]:
    return {
        "name": found.name,
        "group": found.contrast.family,
        "weights": dict(found.contrast.weights),
        "metric": found.metric,
        "decides": found.metric == deciding,
        **found.comparison.to_dict(),
        "empirical": empirical_of(found),
    }


def empirical_of(found: NamedComparison) -> dict[str, Any] | None:
    """Return the empirical test of a comparison as plain data."""
    if found.empirical is None:
        return None
    values = {name: finite(value) for name, value in asdict(found.empirical).items() if name != "missing"}
    return {**values, "left_out": found.incomplete_draws, "real": finite(found.real_score)}


def _claim(claim: ClaimResult) -> dict[str, Any]:
    names = [one.name for one in claim.parts]
    return {"kind": claim.kind, "subject": claim.subject, "outcome": claim.outcome, "comparisons": names}


def _arm(arm: ArmSummary) -> dict[str, Any]:
    return {
        "name": arm.name,
        "kind": arm.kind,
        "is_floor": arm.is_floor,
        "null": None if arm.null is None else dict(arm.null),
        "draws": arm.draws,
        "parameters": arm.parameters,
        "runs": {"done": arm.done, "failed": arm.failed, "waiting": arm.waiting},
        "scores": {
            metric: {
                "mean": finite(found.mean),
                "interval": [finite(found.low), finite(found.high)],
                "count": found.count,
            }
            for metric, found in arm.estimates.items()
        },
        "undefined": dict(arm.undefined),
    }
