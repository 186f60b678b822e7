"""Arms and failures, counted."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..design.arms import Arm
from ..statistics import estimate_mean
from .resampling import Resampling
from .run_rows import RunRows, number_in
from .scores import Cubes, split_scores
from .tables import ArmSummary, FailureGroup

__all__ = ["failure_groups", "summarize_arms"]


def summarize_arms(
    arms: Sequence[Arm], runs: RunRows, cubes: Mapping[str, Cubes], resampling: Resampling
) -> tuple[ArmSummary, ...]:
    """Return scores, runs and size of every arm.

    Args:
        arms: Those of the study.
        runs: The planned runs.
        cubes: Per metric and arm, scores (S splits, K seeds, D draws).
        resampling: Shares of rows that a split tests and trains on.
    """
    return tuple(_summary(arm, runs, cubes, resampling) for arm in arms)


def _summary(arm: Arm, runs: RunRows, cubes: Mapping[str, Cubes], resampling: Resampling) -> ArmSummary:
    planned, done = runs.of(arm.name), runs.of(arm.name, "done")
    sizes = [size for row in done if not math.isnan(size := number_in(row, "parameters"))]
    seconds = [time for row in planned if not math.isnan(time := number_in(row, "seconds"))]
    return ArmSummary(
        name=arm.name,
        kind=arm.kind,
        estimates={
            metric: estimate_mean(split_scores(scores[arm.name]), **resampling._asdict())
            for metric, scores in cubes.items()
        },
        undefined={metric: sum(math.isnan(number_in(row, metric)) for row in done) for metric in cubes},
        done=len(done),
        failed=len(runs.of(arm.name, "failed")),
        waiting=len(runs.of(arm.name, "planned", "running")),
        draws=len({row["draw"] for row in planned} - {None}),
        parameters=round(float(np.median(sizes))) or None if sizes else None,
        seconds=float(sum(seconds)),
        null={"class_path": arm.null} if isinstance(arm.null, str) else arm.null,
        is_floor=arm.is_floor or arm.kind == "floor",
    )


def failure_groups(arms: Sequence[Arm], runs: RunRows) -> tuple[FailureGroup, ...]:
    """Return the failed runs by arm and message, and where the first of each failed."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in runs.of([arm.name for arm in arms], "failed"):
        draw = "" if row["draw"] is None else f", draw {row['draw']}"
        place = f"repeat {row['repeat']}, fold {row['fold']}, seed {row['seed']}{draw}"
        groups.setdefault((row["arm"], str(row["error"])), []).append(place)
    return tuple(FailureGroup(arm, error, len(places), places[0]) for (arm, error), places in groups.items())
