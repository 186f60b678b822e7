"""What a network tells before it is trained: signal, gradients, and how much a linear readout gets from its features.

Legend of shapes: B rows of the batch, N units of the last activation, C columns of the targets.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from ...activations import is_activation
from ...comparison.runs.activation import with_activation
from ...comparison.runs.build import BuiltRun, build_run, build_sibling
from ...comparison.runs.quiet import quiet
from ...comparison.runs.result import Result
from ...errors import InputError
from ...models import Task

__all__ = ["combined_score", "measure_proxies", "proxy_recipe", "proxy_results"]

# Wide last layers, such as those of convolutions, are read out through so many of their units.
_MOST_UNITS = 256
_RIDGE = 1e-2


def proxy_recipe(base: str, spec: str, seed: int, rows: int) -> dict[str, Any]:
    """Return all that decides the proxies of a candidate."""
    return {"stage": "proxies", "base": base, "spec": spec, "seed": seed, "rows": rows}


def proxy_results(recipes: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> list[Result]:
    """Return the proxies of every candidate: all see the same rows, and start from the same random numbers."""
    with quiet():
        configs = [{**with_activation(config, recipe["spec"]), "seed_everything": recipe["seed"]} for recipe in recipes]
        run = build_run({"kind": "network", "config": configs[0], "test": False})
        batch = _batch(run, recipes[0]["rows"])
        return [_attempt(run, one, batch) for one in configs]


def _batch(run: BuiltRun, rows: int) -> tuple[Tensor, Tensor]:
    parts: list[tuple[Tensor, Tensor]] = []
    for x, y in run.data.train_dataloader():
        parts.append((x, y))
        if sum(len(part) for part, _ in parts) >= rows:
            break
    x, y = (torch.cat(tensors)[:rows] for tensors in zip(*parts, strict=True))
    return x, y


def _attempt(run: BuiltRun, config: Mapping[str, Any], batch: tuple[Tensor, Tensor]) -> Result:
    try:
        task = build_sibling(run, None, config).task
        return Result(measure_proxies(task, *batch))
    except Exception as error:
        return Result.failure(error)


def measure_proxies(task: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    """Return the proxies of a network as it was initialised.

    Args:
        task: A task with its network.
        x: Batch of training rows.
        y: Their targets.

    Returns:
        `gradient`: logarithm (base 10) of the gradient norm of the first layer over that of the last; `signal`: the
        logarithm of the variance over rows of the last activation over that of the first, each the mean over units;
        `readout`: share of the targets' variance that a ridge regression on the last activation, fitted to half of the
        rows, explains in the other half; `loss`.

    Raises:
        InputError: If a value is not finite, or the network has no activation.
    """
    sites = [module for module in task.modules() if is_activation(module)]
    seen: dict[int, Tensor] = {}
    handles = [site.register_forward_hook(partial(_keep, seen, place)) for place, site in enumerate(sites)]
    try:
        task.zero_grad()
        loss = _loss(task.train(), x, y)
        loss.backward()
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        raise InputError("no activation was called, so the network has none to choose")
    weights = [value for value in task.parameters() if value.dim() > 1 and value.grad is not None]
    first, last = (float(value.grad.norm()) for value in (weights[0], weights[-1]) if value.grad is not None)
    variances = [float(value.flatten(1).var(0).mean()) for value in seen.values()]
    found = {
        "gradient": _logarithm(first) - _logarithm(last),
        "signal": _logarithm(variances[-1]) - _logarithm(variances[0]),
        "readout": _readout(list(seen.values())[-1], y),
        "loss": float(loss.detach()),
    }
    if bad := [name for name, value in found.items() if not math.isfinite(value) and name != "readout"]:
        raise InputError(f"{bad[0]} is not finite in the network as it is initialised")
    return found


def _keep(seen: dict[int, Tensor], place: int, module: nn.Module, inputs: Any, output: Tensor) -> None:
    seen[place] = output.detach()


def _loss(task: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    if not isinstance(task, Task):
        raise InputError(f"{type(task).__name__} is no task of this package; set stages.proxies to null")
    return task.total_loss(task(x), y)


def _logarithm(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def _readout(features: Tensor, y: Tensor) -> float:
    """Return the share of variance that a ridge regression on features (B, ...) explains in rows it has not seen."""
    if y.dim() != 1 or len(y) < 4:
        return math.nan
    features = features.flatten(1)[:, :_MOST_UNITS].double()  # (B, N)
    wanted = (y[:, None] if y.is_floating_point() else nn.functional.one_hot(y)).double()  # (B, C)
    half = len(y) // 2
    centre, scale = features[:half].mean(0), features[:half].std(0) + 1e-6
    features, mean = (features - centre) / scale, wanted[:half].mean(0)
    gram = features[:half].T @ features[:half] / half + _RIDGE * torch.eye(features.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, features[:half].T @ (wanted[:half] - mean) / half)
    rest = wanted[half:] - mean
    total = float(rest.square().sum())
    return 1 - float((rest - features[half:] @ weights).square().sum()) / total if total else math.nan


def combined_score(found: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Return one score per candidate from 0 to 1: the mean of its shares of candidates that are worse.

    Best is a gradient and a signal that neither vanish nor explode on their way, and a good readout.

    Args:
        found: What `measure_proxies` gave for each.

    Example:
        >>> calm = {"gradient": 0.0, "signal": 0.0, "readout": 0.5, "loss": 0.7}
        >>> wild = {"gradient": 3.0, "signal": -2.0, "readout": 0.1, "loss": 0.7}
        >>> combined_score([wild, calm]).tolist()
        [0.0, 1.0]
    """
    if len(found) < 2:
        return np.ones(len(found))
    goodness = {
        "gradient": [-abs(item["gradient"]) for item in found],
        "signal": [-abs(item["signal"]) for item in found],
        "readout": [item["readout"] for item in found],
    }
    used = [np.asarray(values) for values in goodness.values() if np.isfinite(values).all()]
    return np.mean([(rankdata(values) - 1) / (len(found) - 1) for values in used], axis=0)
