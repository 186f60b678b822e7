"""Trainings of a search: how long, with which seed, and what their score is."""

import math
from collections.abc import Sequence
from typing import Any

from ...randomness import derive_seed
from .base import SearchBase
from .runner import StageResult
from .work import training_recipe

__all__ = [
    "FEW_STEPS",
    "by_contender",
    "few_step_recipes",
    "full_recipes",
    "mean_score",
    "rung_name",
    "rung_recipes",
    "stage_seed",
    "validated",
]

FEW_STEPS = "few_steps"
# torch and scikit-learn take seeds below this.
_SEEDS = 2**32


def stage_seed(seed: int, *purpose: int | str) -> int:
    """Return `seed_everything` of the runs of a stage: initialisation, order and dropout are one for all candidates."""
    return derive_seed(seed, "search", *purpose) % _SEEDS


def rung_name(epochs: int) -> str:
    """Return how a rung of successive halving is called.

    Example:
        >>> rung_name(1), rung_name(5)
        ('halving 1 epoch', 'halving 5 epochs')
    """
    return f"halving {epochs} epoch{'s' * (epochs > 1)}"


def few_step_recipes(base: SearchBase, specs: Sequence[str], seed: int, steps: int) -> list[dict[str, Any]]:
    """Return trainings of so many steps, or a few more, that look at validation rows once, at their end."""
    epochs = math.ceil(steps / base.steps_per_epoch)
    trainer = {
        "max_epochs": epochs,
        "limit_train_batches": math.ceil(steps / epochs),
        "check_val_every_n_epoch": epochs,
        "limit_val_batches": steps,  # there may be many more, and each costs as much as a part of a step
        **_without_stopping(base),
    }
    seed = stage_seed(seed, FEW_STEPS)
    return [training_recipe(base.key, spec, seed, trainer) for spec in specs]


def rung_recipes(base: SearchBase, specs: Sequence[str], seed: int, epochs: int, seeds: int) -> list[dict[str, Any]]:
    """Return trainings of a rung, seed after seed, which look at validation rows once, at their end."""
    trainer = {"max_epochs": epochs, "check_val_every_n_epoch": epochs, **_without_stopping(base)}
    own = [stage_seed(seed, rung_name(epochs), number) for number in range(seeds)]
    return [training_recipe(base.key, spec, one, trainer) for one in own for spec in specs]


def full_recipes(
    base: SearchBase, specs: Sequence[str], seed: int, purpose: str, seeds: int, *, test: bool = False
) -> list[dict[str, Any]]:
    """Return trainings as the base config has them, with every seed, seed after seed."""
    trainer: dict[str, Any] = {"num_sanity_val_steps": 0}
    if not base.stops_early:
        trainer["check_val_every_n_epoch"] = base.epochs
    own = [stage_seed(seed, purpose, number) for number in range(seeds)]
    return [training_recipe(base.key, spec, one, trainer, test=test) for one in own for spec in specs]


def _without_stopping(base: SearchBase) -> dict[str, Any]:
    callbacks = base.config["trainer"].get("callbacks") or []
    kept = [item for item in callbacks if not item["class_path"].endswith("EarlyStopping")]
    return {"callbacks": kept, "num_sanity_val_steps": 0}


def validated(result: StageResult, metric: str) -> StageResult:
    """Return the validation metric at the end, or at the best epoch of a run that may stop early, as the score."""
    return _scored(metric, result, result.curves.get(f"val/{metric}", ()), result.details.get("best_epoch"))


def mean_score(results: Sequence[StageResult], metric: str) -> StageResult:
    """Return the mean of a metric over the trainings of one candidate; it fails if one of them does.

    Example:
        >>> mean_score([StageResult({"auroc": 0.8}), StageResult({"auroc": 0.9})], "auroc").scores
        {'auroc': 0.8500000000000001}
    """
    failed = next((result for result in results if result.error is not None), None)
    return failed or StageResult({metric: math.fsum(result.scores[metric] for result in results) / len(results)})


def _scored(name: str, result: StageResult, curve: Sequence[float], epoch: int | None) -> StageResult:
    if result.error is not None:
        return result
    value = curve[-1 if epoch is None or epoch >= len(curve) else epoch] if len(curve) else math.nan
    if not math.isfinite(value):
        return StageResult(error=f"{name} is {value}")
    return StageResult({name: float(value)}, result.curves, result.details)


def by_contender(values: Sequence[Any], contenders: int) -> list[list[Any]]:
    """Return values that lie seed after seed as one list per contender.

    Example:
        >>> by_contender([1, 2, 3, 4, 5, 6], contenders=3)
        [[1, 4], [2, 5], [3, 6]]
    """
    return [list(values[place::contenders]) for place in range(contenders)]
