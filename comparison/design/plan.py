"""What a study will run: one recipe per planned run, and its key.

A recipe is plain data that decides a run: the resolved config, the null model and its draw, a dense control or a floor,
the data and the versions. Its key is a hash of it, so equal recipes are one run, whichever arms ask for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...randomness import derive_seed

__all__ = ["Plan", "PlannedArm", "PlannedRun", "Recipe", "initial_seed", "plan_runs", "split_seed"]

Recipe = Mapping[str, Any]

# torch and scikit-learn take seeds below this.
_SEEDS = 2**32


@dataclass(frozen=True)
class PlannedRun:
    """One cell of a study.

    Attributes:
        arm: Name of the arm.
        repeat: Number of the partition into folds, from 0.
        fold: The fold that tests, from 0.
        seed: Number of the initialisation, from 0.
        draw: Number of the draw of the arm's null model, or None.
        recipe: All that decides the run, as plain data.
        key: Hash of the recipe.

    Example:
        >>> PlannedRun("constant", 0, 3, 0, None, {"kind": "floor", "floor": "constant"}, "key").cell
        ('constant', 0, 3, 0, None)
    """

    arm: str
    repeat: int
    fold: int
    seed: int
    draw: int | None
    recipe: Recipe
    key: str

    @property
    def cell(self) -> tuple[str, int, int, int, int | None]:
        """Where the run stands in the study."""
        return (self.arm, self.repeat, self.fold, self.seed, self.draw)


@dataclass(frozen=True)
class Plan:
    """The runs of a study, split after split.

    Args:
        runs: One for every arm, split, seed and draw; several may share a key.

    Example:
        >>> cells = [PlannedRun("real", 0, fold, 0, None, {"fold": fold}, f"key {fold}") for fold in range(5)]
        >>> plan = Plan((*cells, PlannedRun("same", 0, 0, 0, None, {"fold": 0}, "key 0")))
        >>> len(plan.runs), len(plan.distinct), plan.arms
        (6, 5, ('real', 'same'))
    """

    runs: tuple[PlannedRun, ...]

    @cached_property
    def distinct(self) -> dict[str, PlannedRun]:
        """The first run of every key."""
        found: dict[str, PlannedRun] = {}
        for run in self.runs:
            found.setdefault(run.key, run)
        return found

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in their order."""
        return tuple(dict.fromkeys(run.arm for run in self.runs))

    def of_arm(self, arm: str) -> list[PlannedRun]:
        """Return the runs of an arm."""
        return [run for run in self.runs if run.arm == arm]


def split_seed(seed: int, repeat: int) -> int:
    """Return `data.split_seed` of a partition into folds: one for all arms.

    Example:
        >>> split_seed(0, 0) == split_seed(0, 0) != split_seed(0, 1)
        True
    """
    return derive_seed(seed, "split", repeat) % _SEEDS


def initial_seed(seed: int, repeat: int, fold: int, index: int) -> int:
    """Return `seed_everything` of a run: initialisation and order are one for all arms.

    Example:
        >>> initial_seed(0, 0, 1, 0) == initial_seed(0, 0, 1, 1)
        False
    """
    return derive_seed(seed, "initial", repeat, fold, index) % _SEEDS


@dataclass(frozen=True)
class PlannedArm:
    """An arm ready to be planned: its recipe without the split, the seeds and the draw.

    Attributes:
        name: Name of the arm.
        recipe: Config and controls, as far as all draws share them.
        draws: What every draw adds to the recipe: the null model with a seed, or a protocol; empty without draws.
        seeds: Number of initialisations per split.
    """

    name: str
    recipe: Recipe
    draws: Sequence[Recipe]
    seeds: int


def plan_runs(arms: Iterable[PlannedArm], *, seed: int, repeats: int, folds: int) -> Plan:
    """Return the product of arms, splits, seeds and draws.

    All arms of a split get the same rows and, per number of the seed, the same initial seed; draw d of a null model
    has the same seed at every split.

    Args:
        arms: The arms.
        seed: Seed of the study.
        repeats: Number of partitions into folds.
        folds: Number of folds.

    Example:
        >>> recipe = {"config": {"data": {"init_args": {}}}}
        >>> draws = [{"null": {"class_path": "Rewire", "seed": seed}} for seed in (11, 12)]
        >>> plan = plan_runs([PlannedArm("rewired", recipe, draws, 1)], seed=0, repeats=1, folds=2)
        >>> [(run.fold, run.draw, run.recipe["null"]["seed"]) for run in plan.runs]
        [(0, 0, 11), (0, 1, 12), (1, 0, 11), (1, 1, 12)]
    """
    arms = list(arms)
    runs = []
    for repeat in range(repeats):
        for fold in range(folds):
            split = {"fold": fold, "num_folds": folds, "split_seed": split_seed(seed, repeat)}
            for arm in arms:
                for index in range(arm.seeds):
                    base = _with_split(arm.recipe, split, initial_seed(seed, repeat, fold, index))
                    runs += _draws(arm, base, (repeat, fold, index))
    return Plan(tuple(runs))


def _with_split(recipe: Recipe, split: Mapping[str, int], seed: int) -> dict[str, Any]:
    made = deepcopy(dict(recipe))
    made["config"]["seed_everything"] = seed
    made["config"]["data"]["init_args"].update(split)
    return made


def _draws(arm: PlannedArm, recipe: dict[str, Any], place: tuple[int, int, int]) -> list[PlannedRun]:
    # Imported late: a reader of plans needs neither torch nor lightning.
    from ..runs.recipe import recipe_key

    if not arm.draws:
        return [PlannedRun(arm.name, *place, None, recipe, recipe_key(recipe))]
    runs = []
    for draw, changes in enumerate(arm.draws):
        drawn = {**recipe, **changes}
        runs.append(PlannedRun(arm.name, *place, draw, drawn, recipe_key(drawn)))
    return runs
