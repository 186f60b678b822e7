"""Runs that can be trained side by side: which they are, and their results."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from .activation import activation_of, without_activation
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


def group_runs(runs: Sequence[RunType], max_batch: int) -> list[list[RunType]]:
    """Gather runs that can be trained side by side: equal but for the draw of their hierarchy or the activation.

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
    others = {name: value for name, value in recipe.items() if name not in ("config", "null")}
    return canonical_json({**others, "config": without_activation(recipe["config"])})


def execute_batch(recipes: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Run recipes; those that `group_runs` puts together are trained side by side.

    The figures are those of `execute` but for rounding. Where anything but a single network goes wrong, those of each
    activation are run side by side; what cannot be stacked at all is run one by one.

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
    if len(recipes) == 1 or len(keys) > 1 or None in keys:
        return [execute(recipe) for recipe in recipes]
    try:
        with quiet():
            return train_side_by_side(recipes)
    except Exception as error:
        log.info("%d runs are not trained side by side: %s", len(recipes), sentence(error))
    # an activation that cannot be stacked need not keep the others apart
    own: dict[str, list[int]] = {}
    for place, recipe in enumerate(recipes):
        own.setdefault(canonical_json(activation_of(recipe["config"])), []).append(place)
    groups = list(own.values()) if len(own) > 1 else [[place] for place in range(len(recipes))]
    found = {}
    for places in groups:
        found.update(zip(places, execute_batch([recipes[place] for place in places]), strict=True))
    return [found[place] for place in range(len(recipes))]
