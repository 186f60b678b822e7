"""What light did in the arms of a study: where, to how many units, at what dose; and which controls there are not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..design.arms import Arm
from .run_rows import RunRows
from .tables import StimulatedArm

__all__ = ["stimulated_arms", "stimulation_notes"]


def stimulated_arms(
    arms: Sequence[Arm], runs: RunRows, details: Mapping[str, Mapping[str, Any]]
) -> tuple[StimulatedArm, ...]:
    """Return one row per arm, stimulus, site and phase, with the mean dose over runs.

    Args:
        arms: Those of the study.
        runs: The planned runs.
        details: Per key of a run, what it noted; what light did stands under "stimulation".
    """
    found = []
    for arm in arms:
        noted: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
        for key in dict.fromkeys(row["key"] for row in runs.of(arm.name, "done")):
            for row in (details.get(key) or {}).get("stimulation") or ():
                noted.setdefault((row["stimulus"], row["site"], row["phase"]), []).append(row)
        found += [_row(arm.name, place, rows) for place, rows in noted.items()]
    return tuple(found)


def _row(arm: str, place: tuple[str, str, str], rows: Sequence[Mapping[str, Any]]) -> StimulatedArm:
    steps = {row["steps"] for row in rows}
    return StimulatedArm(
        arm=arm,
        stimulus=place[0],
        opsin=str(rows[0]["opsin"]["kind"]),
        site=place[1],
        phase=place[2],
        units=int(rows[0]["units"]),
        steps=steps.pop() if len(steps) == 1 else "differs between runs",
        batches=float(np.mean([row["batches"] for row in rows])),
        dose=float(np.mean([row["dose"] for row in rows])),
    )


def stimulation_notes(without: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for every control that does not exist.

    Example:
        >>> stimulation_notes({"silenced / opposite_sign": "opsin silence has no opposite sign"})
        ('There is no control silenced / opposite sign: opsin silence has no opposite sign.',)
    """
    return tuple(f"There is no control {name.replace('_', ' ')}: {reason}." for name, reason in without.items())
