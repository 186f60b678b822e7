"""Drive a study: hand out what its ledger has not done yet, and record what comes back."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from ..executors import Executor, Group, Outcome
from ..executors.base import Work
from ..ledger import Ledger

if TYPE_CHECKING:
    from ..design.plan import Plan, PlannedRun

__all__ = ["Grouping", "drive"]

# From runs and the most runs of a group to the groups.
Grouping = Callable[[Sequence["PlannedRun"], int], list[list["PlannedRun"]]]


def drive(
    ledger: Ledger,
    plan: "Plan",
    executor: Executor,
    work: Work,
    grouping: Grouping,
    *,
    most: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Execute the runs of a plan that the ledger does not hold yet.

    Every result is in the ledger as soon as it is known, so whatever ends this process loses at most the runs in
    flight. The plan must be in the ledger, and `Ledger.recover` called after a process was killed.

    Args:
        ledger: Where results go.
        plan: The runs.
        executor: Where they are executed.
        work: What executes a group.
        grouping: Gathers runs that are executed together.
        most: Most runs of a group.
        progress: Called with the numbers of runs that were done and that failed.
    """
    todo = set(ledger.todo())
    runs = [run for key, run in plan.distinct.items() if key in todo]
    found = [
        Group(tuple(run.key for run in group), tuple(run.recipe for run in group)) for group in grouping(runs, most)
    ]
    if not found:
        return
    with closing(executor.run(found, work, ledger.start)) as outcomes:  # type: ignore[type-var]
        for outcome in outcomes:
            failed = _record(ledger, outcome)
            if progress is not None:
                progress(len(outcome.keys) - failed, failed)


def _record(ledger: Ledger, outcome: Outcome) -> int:
    """Record an outcome and return how many of its runs failed."""
    if outcome.error is not None:
        ledger.fail(outcome.keys, outcome.error)
        return len(outcome.keys)
    ledger.finish_all(zip(outcome.keys, outcome.results, strict=True))
    return sum(result.error is not None for result in outcome.results)
