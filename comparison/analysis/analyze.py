"""From the runs of a study to everything that its report shows."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

from ...errors import InputError
from ..design.fields import StudyFields
from ..statistics import VarianceComponents, variance_components
from ..statistics.families import Adjustment
from .claims import judge_claims
from .contrasts import contrasts_of, floor_contrasts
from .doses import dose_responses
from .learning import learning_curves
from .paired import compare_contrasts
from .planning import still_needed
from .quality import null_qualities
from .resampling import resampling_of
from .run_rows import RunRows
from .scores import score_cube
from .stimulation import stimulated_arms, stimulation_notes
from .summaries import failure_groups, summarize_arms
from .tables import ArmSummary, ReportData

__all__ = ["analyze"]

_NO_METRICS = ("arm", "repeat", "fold", "seed", "draw", "key", "state", "parameters", "seconds", "error")


def analyze(
    study: StudyFields,
    frame: pd.DataFrame,
    *,
    metrics: Sequence[str] = (),
    curves: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    details: Mapping[str, Mapping[str, Any]] | None = None,
    conditions: Mapping[str, str] | None = None,
) -> ReportData:
    """Judge the arms of a study by the runs that its ledger holds.

    Scores are averaged over draws and seeds within a split before splits are compared, so that only splits count as
    repetitions; draws are judged by the empirical p-value. Runs that failed, are missing or have no defined value are
    left out and counted. Works on a half-finished study too.

    Args:
        study: The study's fields.
        frame: One row per planned run: arm, repeat, fold, seed, draw, key, state, metrics, parameters, seconds, error;
            `Ledger.frame()`.
        metrics: What is compared, the first decides; empty: the study's, or all in the frame that have a region of
            practical equivalence.
        curves: Per key of a run, values per epoch by name; `Ledger.curves()`.
        details: Per key of a run, what it noted: train_rows, test_rows, quality of the draw under "null";
            `Ledger.details()`.
        conditions: What else a reader must know, label to text: data, versions, command, machine, date.

    Raises:
        InputError: If the frame holds no run of an arm, or a metric has no region of practical equivalence.

    Example:
        >>> arms = {"real": {}, "random": {"null": "ErdosRenyi", "draws": 1}}
        >>> study = StudyFields(base="demo.yaml", arms=arms, floors=[], folds=3, repeats=1)
        >>> runs = [
        ...     {"arm": arm, "repeat": 0, "fold": fold, "seed": 0, "draw": draw, "key": f"{arm} {fold}",
        ...      "state": "done", "auroc": score + 0.01 * fold}
        ...     for arm, draw, score in (("real", None, 0.9), ("random", 0, 0.7)) for fold in range(3)
        ... ]
        >>> found = analyze(study, pd.DataFrame(runs)).comparisons[0]
        >>> found.name, found.comparison.verdict, round(found.comparison.difference, 3)
        ('real against random', 'better', 0.2)
    """
    arms = study.all_arms
    runs = RunRows(frame)
    if missing := [arm.name for arm in arms if arm.name not in runs]:
        raise InputError(f"arm '{missing[0]}' has no planned run; plan the study before it is analysed")
    names = tuple(metrics or study.metrics or _known_metrics(study, frame))
    ropes = {metric: study.rope_of(metric) for metric in names}
    resampling = resampling_of(study.folds, details or {})
    cubes = {metric: {arm.name: score_cube(runs, arm.name, metric) for arm in arms} for metric in names}
    summaries = summarize_arms(arms, runs, cubes, resampling)
    planned, floors = (
        compare_contrasts(
            contrasts,
            cubes,
            nulls=[arm.name for arm in summaries if arm.kind == "null"],
            ropes=ropes,
            resampling=resampling,
            correction=cast(Adjustment, study.correction),
        )
        for contrasts in (contrasts_of(study), floor_contrasts(study))
    )
    return ReportData(
        name=study.name,
        question=study.question,
        metrics=names,
        ropes=ropes,
        references=study.references,
        folds=study.folds,
        repeats=study.repeats,
        seeds=study.seeds,
        correction=study.correction,
        arms=summaries,
        comparisons=planned,
        floors=floors,
        components=_components(runs, summaries, names[0]),
        doses=dose_responses(study, cubes, resampling),
        curves=learning_curves(runs, curves or {}, [arm.name for arm in summaries]),
        nulls=null_qualities(study, runs, details or {}),
        planning=still_needed([one for one in planned if one.metric == names[0]], cubes, study.p_floor),
        failures=failure_groups(arms, runs),
        conditions=dict(conditions or {}),
        runs=frame,
        claims=judge_claims(study.all_claims, planned, names[0]),
        stimulation=stimulated_arms(arms, runs, details or {}),
        notes=stimulation_notes(study.without),
    )


def _known_metrics(study: StudyFields, frame: pd.DataFrame) -> list[str]:
    found = []
    for name in map(str, frame.columns):
        if name not in _NO_METRICS:
            try:
                study.rope_of(name)
            except InputError:
                continue
            found.append(name)
    if not found:
        raise InputError(
            "no run has a metric with a region of practical equivalence; name metrics and rope in the study"
        )
    return found


def _components(runs: RunRows, arms: Sequence[ArmSummary], metric: str) -> dict[str, VarianceComponents]:
    """Return where the scatter of each network arm comes from, where it has runs enough to tell."""
    found = {}
    for arm in arms:
        rows = [row for row in runs.of(arm.name, "done") if metric in row]
        if not arm.is_floor and len(rows) > 1:
            parts = [(f"{row['repeat']}/{row['fold']}", row["seed"], row["draw"] or 0, row[metric]) for row in rows]
            found[arm.name] = variance_components(pd.DataFrame(parts, columns=["split", "seed", "draw", "score"]))
    return found
