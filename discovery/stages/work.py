"""What a worker does with a group of recipes of a search.

A recipe of a search is short, because there are thousands: `stage` says what is done; `spec`, `seed`, `trainer` and
`test` make a run of the base config, which the work holds once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...comparison.runs.activation import with_activation
from ...comparison.runs.result import Result
from ...comparison.study.work import RunWork
from .gate import gate_results
from .proxies import proxy_results

__all__ = ["StageWork", "training_recipe"]


def training_recipe(
    base: str, spec: str, seed: int, trainer: Mapping[str, Any], *, test: bool = False
) -> dict[str, Any]:
    """Return the recipe of a training.

    Args:
        base: Key of the base.
        spec: The activation.
        seed: `seed_everything` of the run.
        trainer: Settings that take the place of the base's.
        test: Whether the test rows are looked at.
    """
    return {"stage": "training", "base": base, "spec": spec, "seed": seed, "trainer": dict(trainer), "test": test}


@dataclass(frozen=True)
class StageWork:
    """Execute recipes of one stage in a process that may be new.

    Attributes:
        config: Config of the base.
        folder: Working directory of the search.
        allowed: Packages that configs may name beside the usual ones.

    Example:
        >>> recipe = {"stage": "gate", "formula": "x*x", "constants": {}, "max_growth": 3.0, "max_slope": 1e4}
        >>> round(StageWork({})([{**recipe, "normalize": False}])[0].metrics["growth"], 3)
        2.0
    """

    config: Mapping[str, Any] = field(repr=False)
    folder: str = "."
    allowed: tuple[str, ...] = ()

    def __call__(self, recipes: Sequence[Mapping[str, Any]]) -> list[Result]:
        """Return the result of each recipe; whatever goes wrong with one is in its own result."""
        runs = RunWork(self.folder, self.allowed)
        stage = recipes[0]["stage"]
        if stage == "training":
            return runs([self.expanded(recipe) for recipe in recipes])
        with runs.surroundings():
            return gate_results(recipes) if stage == "gate" else proxy_results(recipes, self.config)

    def expanded(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """Return the recipe of a run, as studies have it."""
        config = with_activation(self.config, recipe["spec"])
        config["seed_everything"] = recipe["seed"]
        config["trainer"] = {**config["trainer"], **recipe["trainer"]}
        return {"kind": "network", "config": config, "test": recipe["test"]}
