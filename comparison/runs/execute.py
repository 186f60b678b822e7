"""One run, in this process."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch import Callback

from ...callbacks import Optogenetics
from .build import BuiltRun, build_run
from .floors import score_floor
from .quiet import quiet
from .recording import BestWeights, CurveRecorder
from .result import Result

__all__ = ["execute", "is_network"]


def execute(recipe: Mapping[str, Any]) -> Result:
    """Train and score the network of a recipe, or fit and score its floor.

    The figures are those of `axonlight fit` and then `axonlight test --ckpt_path last` with the recipe's config, bit
    for bit; with early stopping in the config, of the checkpoint that is best by what it monitors. No file is
    written. This process is seeded by the config, and keeps the data for the next run on them.

    Args:
        recipe: See `Recipe`.

    Returns:
        The result; where anything went wrong it has no metrics, and says why in `error`.

    Example:
        >>> model = {"class_path": "ClassificationTask", "init_args": {"network": "DenseNetwork"}}
        >>> config = {"seed_everything": 0, "model": model, "data": "BreastCancer", "trainer": {"max_epochs": 1}}
        >>> result = execute({"kind": "network", "config": config})
        >>> result.failed, sorted(result.metrics)[:3], len(result.curves["train/loss"])
        (False, ['accuracy', 'auroc', 'average_precision'], 1)
        >>> execute({"kind": "floor", "floor": "ridge", "config": config}).metrics["auroc"] > 0.9
        True
    """
    started = time.perf_counter()
    try:
        with quiet():
            found = _trained(build_run(recipe)) if is_network(recipe) else _floor(recipe)
    except Exception as error:
        return Result.failure(error, time.perf_counter() - started)
    return Result(**found, seconds=time.perf_counter() - started)


def is_network(recipe: Mapping[str, Any]) -> bool:
    """Tell whether a recipe trains a network; the dense floor is one."""
    return recipe["kind"] == "network" or recipe.get("floor") == "dense"


def _floor(recipe: Mapping[str, Any]) -> dict[str, Any]:
    metrics, details = score_floor(recipe)
    return {"metrics": metrics, "details": details}


def _trained(run: BuiltRun) -> dict[str, Any]:
    curves, details = CurveRecorder(), dict(run.details)
    stopping = run.early_stopping
    best = None if stopping is None else BestWeights(stopping.monitor, stopping.mode)
    callbacks = run.callbacks
    trainer = run.trainer([*callbacks, curves, *([] if best is None else [best])])
    trainer.fit(run.task, datamodule=run.data)
    details["epochs"] = trainer.current_epoch
    if best is not None:
        details["best_epoch"] = best.epoch
    scores = trainer.test(run.task, datamodule=run.data, verbose=False)[0] if run.is_tested else {}
    metrics = {name.removeprefix("test/"): float(value) for name, value in scores.items()}
    if lit := _photostimulation(callbacks):
        details["stimulation"] = lit
    return {"metrics": metrics, "curves": curves.curves, "parameters": run.parameters, "details": details}


def _photostimulation(callbacks: Sequence[Callback]) -> list[dict[str, Any]]:
    """Return what every stimulus did: where, to how many units, in which steps, at what dose."""
    conductors = [callback.conductor for callback in callbacks if isinstance(callback, Optogenetics)]
    return [row for conductor in conductors if conductor is not None for row in conductor.record.rows()]
