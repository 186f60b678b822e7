"""Runs of one batch as one training."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping

from ...callbacks import FiniteLoss, StepSeed
from ...errors import RunError
from ...models import ReplicaTask, Task
from .activation import activation_of, without_activation
from .build import BuiltRun, build_run, build_sibling
from .recipe import canonical_json
from .result import Result

__all__ = ["foreign_callbacks", "train_side_by_side"]


def train_side_by_side(recipes: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Train and score the networks of recipes that differ in draws and activations alone.

    A recipe whose network cannot be built has a result of its own that says why.

    Raises:
        RunError: If fewer than two networks can be built, or a callback of the config would see all at once.
        InputError: If the networks cannot be stacked.
    """
    started = time.perf_counter()
    first: dict[str, BuiltRun] = {}
    runs = [_attempt(recipe, first) for recipe in recipes]
    built = [run for run in runs if isinstance(run, BuiltRun)]
    task = _replicas(built)
    trainer = built[0].trainer([])
    trainer.fit(task, datamodule=built[0].data)
    if built[0].is_tested:
        trainer.test(task, datamodule=built[0].data, verbose=False)
    seconds = (time.perf_counter() - started) / len(recipes)
    found = iter(task.results())
    return [_result(run, next(found), seconds, len(built)) if isinstance(run, BuiltRun) else run for run in runs]


def _attempt(recipe: Mapping[str, Any], first: dict[str, BuiltRun]) -> BuiltRun | Result:
    """Build a run; `first` keeps the first of each config, whatever the text that names its activation."""
    started = time.perf_counter()
    config = recipe["config"]
    # specs that are no text mean what the parser of configs makes of them
    is_text = isinstance(activation_of(config), str)
    key = canonical_json([is_text, without_activation(config) if is_text else config])
    try:
        if key in first:
            return build_sibling(first[key], recipe.get("null"), config)
        return first.setdefault(key, build_run(recipe))
    except Exception as error:
        return Result.failure(error, time.perf_counter() - started)


def _replicas(built: Sequence[BuiltRun]) -> ReplicaTask:
    """Return one task for all; every config has the same seed, trainer and callbacks."""
    if len(built) < 2:
        raise RunError("fewer than two networks could be built")
    tasks = [run.task for run in built if isinstance(run.task, Task)]
    if len(tasks) < len(built):
        raise RunError(f"{type(built[0].task).__name__} is no task of this package")
    callbacks = built[0].callbacks
    others = foreign_callbacks(callbacks)
    if others or [type(callback) for callback in callbacks].count(EarlyStopping) > 1:
        raise RunError(f"callbacks would see all replicas at once: {', '.join(others) or 'several of EarlyStopping'}")
    guard = next((callback for callback in callbacks if isinstance(callback, FiniteLoss)), None)
    return ReplicaTask(
        tasks,
        seeds=[run.builder.seed for run in built],
        early_stopping=built[0].early_stopping,
        check_every_n_steps=None if guard is None else guard.every_n_steps,
    )


def foreign_callbacks(callbacks: Sequence[Callback]) -> list[str]:
    """Return the kinds of callbacks whose work `ReplicaTask` does not do itself, replica by replica."""
    kinds = [type(callback) for callback in callbacks]
    return [kind.__name__ for kind in kinds if kind not in (EarlyStopping, FiniteLoss, StepSeed)]


def _result(run: BuiltRun, found: Mapping[str, Any], seconds: float, count: int) -> Result:
    if found["error"] is not None:
        return Result.failure(found["error"], seconds)
    details = {**run.details, "epochs": found["epochs"], "side_by_side": count}
    if run.early_stopping is not None:
        details["best_epoch"] = found["best_epoch"]
    metrics = {name.removeprefix("test/"): value for name, value in found["scores"].items()}
    return Result(metrics, found["curves"], run.parameters, seconds, None, details)
