"""How many runs a study has, and about how long they take."""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..design.plan import Plan, PlannedRun
from .progress import spoken_time

__all__ = ["ArmBudget", "Budget", "count_runs", "pilot"]

_MOST_PILOTED = 8


@dataclass(frozen=True)
class ArmBudget:
    """The runs of one arm.

    Attributes:
        arm: Its name.
        planned: Splits times seeds times draws.
        shared: Runs that an earlier arm plans as well.
        done: Distinct runs that the ledger holds already.
        left: Distinct runs to execute.
        seconds: What one run takes; NaN where nobody knows.
    """

    arm: str
    planned: int
    shared: int
    done: int
    left: int
    seconds: float


@dataclass(frozen=True)
class Budget:
    """What a study will cost.

    Attributes:
        arms: Per arm, in the order of the plan.
        workers: How many runs or groups are executed at a time.
        source: Where the seconds come from.

    Example:
        >>> budget = Budget((ArmBudget("real", 10, 0, 0, 10, 3.0), ArmBudget("random", 100, 0, 0, 100, 0.5)), 2, "")
        >>> budget.left, budget.seconds
        (110, 40.0)
    """

    arms: tuple[ArmBudget, ...]
    workers: int
    source: str

    @property
    def left(self) -> int:
        """Distinct runs to execute."""
        return sum(arm.left for arm in self.arms)

    @property
    def done(self) -> int:
        """Distinct runs that are done."""
        return sum(arm.done for arm in self.arms)

    @property
    def seconds(self) -> float:
        """Estimated time of what is left, for the arms whose seconds are known; NaN where none is."""
        known = [arm.left * arm.seconds for arm in self.arms if arm.seconds == arm.seconds]
        return sum(known) / max(self.workers, 1) if known else float("nan")

    def __str__(self) -> str:
        width = max(len("arm"), *(len(arm.arm) for arm in self.arms))
        lines = [f"{'arm':<{width}}  planned  shared    done    left  time"]
        for arm in self.arms:
            took = spoken_time(arm.left * arm.seconds) if arm.seconds == arm.seconds else "?"
            counts = f"{arm.planned:>7,}  {arm.shared:>6,}  {arm.done:>6,}  {arm.left:>6,}"
            lines.append(f"{arm.arm:<{width}}  {counts}  {took}")
        if not self.left:
            return "\n".join([*lines, "nothing is left to execute"])
        known = f"about {spoken_time(self.seconds)} ({self.source})" if self.seconds == self.seconds else "time unknown"
        side = f"{self.workers} side by side" if self.workers > 1 else "one after the other"
        return "\n".join([*lines, f"{self.left:,} runs to execute, {side}: {known}"])


def count_runs(
    plan: Plan, states: Mapping[str, str], seconds: Mapping[str, float], workers: int, source: str
) -> Budget:
    """Return the budget of a plan.

    Args:
        plan: The plan.
        states: State of known runs, by key; `Ledger.states()`.
        seconds: What a run takes, by arm.
        workers: How many are executed at a time.
        source: Where the seconds come from.

    Example:
        >>> runs = [PlannedRun("real", 0, fold, 0, None, {}, f"key {fold}") for fold in range(3)]
        >>> runs.append(PlannedRun("twin", 0, 0, 0, None, {}, "key 0"))
        >>> budget = count_runs(Plan(tuple(runs)), {"key 1": "done"}, {"real": 2.0}, 1, "an earlier run")
        >>> [(arm.arm, arm.planned, arm.shared, arm.done, arm.left) for arm in budget.arms], budget.seconds
        ([('real', 3, 0, 1, 2), ('twin', 1, 1, 0, 0)], 4.0)
    """
    seen: set[str] = set()
    arms = []
    for name in plan.arms:
        runs = plan.of_arm(name)
        own = {run.key for run in runs} - seen
        seen |= own
        done = sum(states.get(key) in ("done", "failed") for key in own)
        known = seconds.get(name, float("nan"))
        arms.append(ArmBudget(name, len(runs), len(runs) - len(own), done, len(own) - done, known))
    return Budget(tuple(arms), workers, source)


def pilot(
    groups: Sequence[Sequence[PlannedRun]], work: Callable[[Sequence[Mapping[str, Any]]], Sequence[Any]]
) -> dict[str, float]:
    """Return the seconds of a run by arm, measured on one group of each arm that is trained for one and three epochs.

    What a run takes beside its epochs is in both; floors, which have no epochs, are not timed.

    Args:
        groups: Groups of runs as they will be executed.
        work: What executes a group.
    """
    found: dict[str, float] = {}
    measured: dict[str, float] = {}
    for whole in groups:
        group = _one_of_each_arm(whole)
        recipe = group[0].recipe
        epochs = recipe.get("config", {}).get("trainer", {}).get("max_epochs")
        if recipe["kind"] != "network" or not epochs or epochs < 0:
            continue
        for run in group:
            if run.arm in found:
                continue
            # Arms of one group are trained side by side, so they take the same.
            if group[0].key not in measured:
                short, long = (_timed(group, count, work) for count in (1, 3))
                measured[group[0].key] = (short + max(0.0, long - short) / 2 * (epochs - 1)) / len(group)
            found[run.arm] = measured[group[0].key]
    return {arm: seconds for arm, seconds in found.items() if seconds == seconds}


def _one_of_each_arm(group: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Return few runs of a group, with every arm among them: they tell what more of them take."""
    first = list({run.arm: run for run in reversed(group)}.values())
    rest = [run for run in group if run not in first]
    return [*first, *rest[: max(0, _MOST_PILOTED - len(first))]]


def _timed(group: Sequence[PlannedRun], epochs: int, work: Callable[..., Sequence[Any]]) -> float:
    """Return the seconds of a group; NaN if a run failed, as those end early."""
    recipes = []
    for run in group:
        recipe = copy.deepcopy(dict(run.recipe))
        recipe["config"]["trainer"]["max_epochs"] = epochs
        recipe.pop("protocol", None)  # its light may never shine in so short a run
        recipes.append(recipe)
    started = time.perf_counter()
    results = work(recipes)
    return float("nan") if any(result.error for result in results) else time.perf_counter() - started
