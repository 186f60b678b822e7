"""Runs that can be trained side by side: which they are, and their results."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from .execute import execute, is_network
from .quiet import quiet
from .recipe import canonical_json
from .result import Result, sentence
from .side_by_side import train_side_by_side

__all__ = ["execute_batch", "group_runs"]

log = logging.getLogger(__name__)


class _Run(Protocol):
    @property
    def recipe(self) -> Mapping[str, Any]: ...


RunType = TypeVar("RunType", bound=_Run)

# Arguments of an activation's text: `ash(z=0.5)`. A formula's text is its function.
_ARGUMENTS = re.compile(r"^(\w+)\(.*\)$", re.DOTALL)
_OF_ONE_PIECE = ("formula", "library")


def group_runs(runs: Sequence[RunType], max_batch: int) -> list[list[RunType]]:
    """Gather runs that can be trained side by side: equal but for the draw of their hierarchy or activation values.

    Floors, dense controls and stimulated networks stay alone. Groups and their members keep the order of the runs.

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
    """Return what runs side by side have in common, or None for a run that stays alone.

    The light of a protocol is that of one network: it would see all replicas at once.
    """
    if not is_network(recipe) or any(recipe.get(key) for key in ("dense", "floor", "protocol")):
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
    """Run recipes; those that `group_runs` puts together are trained side by side.

    The figures are those of `execute` but for rounding. What cannot be stacked, and a batch in which anything but a
    single network goes wrong, is run one by one.

    Args:
        recipes: The recipes.

    Returns:
        The result of each, in their order; where something went wrong it says so in `error`.

    Example:
        >>> network = {"class_path": "DenseNetwork", "init_args": {"hidden": [4], "activation": "ash(z=0.0)"}}
        >>> model = {"class_path": "ClassificationTask", "init_args": {"network": network}}
        >>> config = {"seed_everything": 0, "model": model, "data": "BreastCancer", "trainer": {"max_epochs": 1}}
        >>> [result.details["side_by_side"] for result in execute_batch([{"kind": "network", "config": config}] * 2)]
        [2, 2]
    """
    keys = {_batch_key(recipe) for recipe in recipes}
    if len(recipes) > 1 and len(keys) == 1 and None not in keys:
        try:
            with quiet():
                return train_side_by_side(recipes)
        except Exception as error:
            log.info("%d runs are trained one by one: %s", len(recipes), sentence(error))
    return [execute(recipe) for recipe in recipes]
