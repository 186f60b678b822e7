"""Cheap runs that stand for trained networks; importable by the processes that execute them."""

import os
import time
from dataclasses import dataclass, field

from axonlight.comparison.design import Plan, PlannedRun


@dataclass(frozen=True)
class CheapResult:
    """What a run leaves."""

    metrics: dict = field(default_factory=dict)
    curves: dict = field(default_factory=dict)
    parameters: int = 3
    seconds: float = 0.01
    error: str | None = None
    details: dict = field(default_factory=dict)


def cheap_plan(arms=("real", "random"), folds=5, draws=4):
    """Runs of one arm without draws and others with; one arm asks for the recipes of the first once more."""
    runs = []
    for fold in range(folds):
        for arm in arms:
            for draw in range(draws) if arm != "real" else [None]:
                recipe = {"arm": arm, "fold": fold, "draw": draw}
                runs.append(PlannedRun(arm, 0, fold, 0, draw, recipe, f"{arm}-{fold}-{draw}"))
        real = {"arm": "real", "fold": fold, "draw": None}
        runs.append(PlannedRun("same as real", 0, fold, 0, None, real, f"real-{fold}-None"))
    return Plan(tuple(runs))


def score(recipe):
    """A number that depends on the recipe alone."""
    return CheapResult(
        {"auroc": 0.5 + recipe["fold"] / 10 + (recipe["draw"] or 0) / 100},
        {"train/loss": [1.0, 1.0 / (1 + recipe["fold"])]},
        details={"draw": recipe["draw"]},
    )


def cheap_work(recipes):
    """Score at once."""
    return [score(recipe) for recipe in recipes]


def slow_work(recipes):
    """Take a moment, so that somebody can be killed meanwhile."""
    time.sleep(0.02 * len(recipes))
    return cheap_work(recipes)


def in_pairs(runs, most):
    """Group neighbours."""
    return [list(runs[place : place + min(most, 2)]) for place in range(0, len(runs), min(most, 2))]


def failing_work(recipes):
    """Fail on one fold by an exception, on another by a result that says so."""
    if any(recipe["fold"] == 1 for recipe in recipes):
        raise ValueError("no luck\nwith fold 1")
    return [CheapResult(error="the loss is nan") if recipe["fold"] == 2 else score(recipe) for recipe in recipes]


@dataclass(frozen=True)
class DyingWork:
    """End the worker's process on one fold: once, if a file can be made, or every time."""

    once: str | None

    def __call__(self, recipes):
        """Die or score."""
        if any(recipe["fold"] == 1 and recipe["arm"] == "real" for recipe in recipes):
            if self.once is None:
                os.kill(os.getpid(), 9)
            try:
                os.close(os.open(self.once, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return cheap_work(recipes)
            os.kill(os.getpid(), 9)
        return cheap_work(recipes)


def interruptible_work(recipes):
    """Take a moment, and tell which process it was."""
    with open(f"worker-{os.getpid()}", "w"):
        time.sleep(0.2)
    return cheap_work(recipes)
