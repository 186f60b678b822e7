"""Execute the recipes of a stage: what the ledger holds is taken from there, the rest is executed and recorded."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...comparison.design.plan import Plan, PlannedRun
from ...comparison.executors import LocalExecutor
from ...comparison.ledger import Ledger
from ...comparison.runs.recipe import canonical_json, recipe_key
from ...comparison.study.drive import drive
from .work import StageWork

__all__ = ["StageResult", "StageRunner"]

Recipe = Mapping[str, Any]
# Candidates of the stages without training that one worker takes at a time.
_CHUNK = 250
# Trainings are divided among so many groups, whatever the number of workers: figures must not depend on that.
_GROUPS = 4
_FEWEST = 8


@dataclass(frozen=True)
class StageResult:
    """What a recipe gave.

    Attributes:
        scores: Numbers by name.
        curves: Values per epoch, of a training.
        details: What else is known.
        error: Why there are no scores, or None.

    Example:
        >>> StageResult({"auroc": 0.8}).error is None
        True
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


class StageRunner:
    """Executes recipes, side by side where they train alike, and keeps every outcome.

    Groups are formed from all recipes, whatever is done already, and are whole in the ledger or not there: what is
    trained side by side is the same in an interrupted search as in one that was not.

    Args:
        ledger: Where outcomes are kept.
        work: What executes a group.
        workers: Number of processes; 0: this one.
        max_batch: Most networks that are trained side by side.
        progress: Called with the stage, the number of recipes, and how many are done and failed so far.

    Example:
        >>> import tempfile
        >>> gate = {"stage": "gate", "constants": {}, "max_growth": 3.0, "max_slope": 1e4, "normalize": False}
        >>> ledger = Ledger(tempfile.mkdtemp() + "/ledger.sqlite")
        >>> runner = StageRunner(ledger, StageWork({}), workers=0, max_batch=10)
        >>> results, seconds = runner.run("gate", [{**gate, "formula": text} for text in ("x*x", "x**4")])
        >>> round(results[0].scores["second"], 6), results[1].error
        (3.0, 'grows like |x|^4, allowed is |x|^3')
        >>> ledger.close()
    """

    def __init__(
        self,
        ledger: Ledger,
        work: StageWork,
        workers: int,
        max_batch: int,
        progress: Callable[[str, int, int, int], None] | None = None,
    ) -> None:
        self.ledger, self.work = ledger, work
        self.executor, self.max_batch = LocalExecutor(workers, keeps_workers=True), max_batch
        self.progress = progress or (lambda *_: None)

    def run(self, stage: str, recipes: Sequence[Recipe]) -> tuple[list[StageResult], float]:
        """Return the result of every recipe, and the seconds that the stage took, in all its attempts."""
        keys = [recipe_key(recipe) for recipe in recipes]
        pairs = zip(recipes, keys, strict=True)
        runs = [PlannedRun(f"{place}", 0, 0, 0, None, recipe, key) for place, (recipe, key) in enumerate(pairs)]
        plan = Plan(tuple(runs))
        self.ledger.add_plan(runs)
        self.ledger.recover()
        counts = self.ledger.counts()
        done, failed, total = counts["done"], counts["failed"], len(plan.distinct)
        name = f"seconds of {stage}"
        before, began = float(self.ledger.facts().get(name, 0.0)), time.perf_counter()
        self.progress(stage, total, done, failed)

        def advance(more_done: int, more_failed: int) -> None:
            nonlocal done, failed
            done, failed = done + more_done, failed + more_failed
            self.ledger.note(**{name: before + time.perf_counter() - began})
            self.progress(stage, total, done, failed)

        most = self.max_batch if recipes[0]["stage"] == "training" else _CHUNK
        whole = group_alike(list(plan.distinct.values()), most)

        def left(todo: Sequence[PlannedRun], most: int) -> list[list[PlannedRun]]:
            wanted = {run.key for run in todo}
            return [group for group in whole if any(run.key in wanted for run in group)]

        drive(self.ledger, plan, self.executor, self.work, left, progress=advance)
        found = self._results()
        return [found[key] for key in keys], float(self.ledger.facts().get(name, 0.0))

    def _results(self) -> dict[str, StageResult]:
        frame = self.ledger.frame().drop_duplicates("key")
        known = ["arm", "repeat", "fold", "seed", "draw", "key", "state", "parameters", "seconds", "error"]
        names = [name for name in frame.columns if name not in known]
        curves, details = self.ledger.curves(), self.ledger.details()
        errors = [error if isinstance(error, str) else None for error in frame["error"]]  # a missing one may be NaN
        rows = zip(frame["key"], errors, frame[names].to_numpy("float64").tolist(), strict=True)
        return {
            key: StageResult(
                dict(zip(names, values, strict=True)) if error is None else {},
                curves.get(key, {}),
                details.get(key, {}),
                error,
            )
            for key, error, values in rows
        }


def group_alike(runs: Sequence[PlannedRun], most: int) -> list[list[PlannedRun]]:
    """Gather runs that differ in their formula alone, in groups of about one size, at most `most`.

    Example:
        >>> recipes = [{"stage": "training", "spec": spec, "seed": seed} for seed in (0, 1) for spec in "abc"]
        >>> runs = [PlannedRun(str(place), 0, 0, 0, None, one, str(place)) for place, one in enumerate(recipes)]
        >>> [[run.arm for run in group] for group in group_alike(runs, 2)]
        [['0', '1'], ['2'], ['3', '4'], ['5']]
    """
    alike: dict[str, list[PlannedRun]] = {}
    for run in runs:
        key = canonical_json({name: value for name, value in run.recipe.items() if name not in _OWN})
        alike.setdefault(key, []).append(run)
    # With many seeds there are groups enough.
    wanted = max(1, -(-_GROUPS // len(alike)))
    groups = []
    for members in alike.values():
        count = max(-(-len(members) // most), min(wanted, len(members) // _FEWEST), 1)
        size = -(-len(members) // count)
        groups += [members[start : start + size] for start in range(0, len(members), size)]
    return groups


# What may differ between the recipes of a group.
_OWN = ("spec", "formula", "constants")
