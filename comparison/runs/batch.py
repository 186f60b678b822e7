"""Runs that can be trained side by side: which they are, and their results."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from .execute import execute, is_network
from .recipe import canonical_json
from .result import Result

__all__ = ["execute_batch", "group_runs"]


class _Run(Protocol):
    @property
    def recipe(self) -> Mapping[str, Any]: ...


RunType = TypeVar("RunType", bound=_Run)

# Arguments of an activation's text: `ash(z=0.5)`. A formula's text is its function.
_ARGUMENTS = re.compile(r"^(\w+)\(.*\)$", re.DOTALL)
_OF_ONE_PIECE = ("formula", "library")


def group_runs(runs: Sequence[RunType], max_batch: int) -> list[list[RunType]]:
    """Gather runs that can be trained side by side: equal but for the draw of their hierarchy or activation values.

    Floors and dense controls stay alone. Groups and their members keep the order of the runs.

    Args:
        runs: Anything with a `recipe`, such as the runs of a plan.
        max_batch: Most runs of a group.

    Example:
        >>> from types import SimpleNamespace
        >>> config = {"seed_everything": 0, "model": "ClassificationTask", "data": "BreastCancer"}
        >>> null = {"class_path": "DegreePreserving", "init_args": {}}
        >>> draws = [{"kind": "network", "config": config, "null": {**null, "seed": seed}} for seed in range(3)]
        >>> runs = [SimpleNamespace(recipe=recipe) for recipe in [{"kind": "network", "config": config}, *draws]]
        >>> [len(group) for group in group_runs(runs, max_batch=3)]
        [3, 1]
    """
    groups: dict[str, list[list[RunType]]] = {}
    order: list[list[RunType]] = []
    for place, run in enumerate(runs):
        key = _batch_key(run.recipe) or f"alone {place}"
        found = groups.setdefault(key, [])
        if not found or len(found[-1]) >= max(max_batch, 1):
            found.append([])
            order.append(found[-1])
        found[-1].append(run)
    return order


def _batch_key(recipe: Mapping[str, Any]) -> str | None:
    """Return what runs side by side have in common, or None for a run that stays alone."""
    if not is_network(recipe) or recipe.get("dense") or recipe.get("floor"):
        return None
    common = json.loads(canonical_json({name: value for name, value in recipe.items() if name != "null"}))
    model = common["config"]["model"]
    network = (model.get("init_args") or {}).get("network") if isinstance(model, dict) else None
    options = network.get("init_args") if isinstance(network, dict) else None
    if options and "activation" in options:
        options["activation"] = _kind_of(options["activation"])
    return canonical_json(common)


def _kind_of(activation: Any) -> Any:
    """Return a spec of activations without the values of its arguments."""
    if isinstance(activation, list):
        return [_kind_of(item) for item in activation]
    if isinstance(activation, dict):
        return activation.get("class_path")
    if isinstance(activation, str) and (found := _ARGUMENTS.match(activation)) and found[1] not in _OF_ONE_PIECE:
        return found[1]
    return activation


def execute_batch(recipes: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Run recipes; those of a group of `group_runs` side by side.

    Args:
        recipes: The recipes.

    Returns:
        The result of each, in their order.
    """
    return [execute(recipe) for recipe in recipes]
