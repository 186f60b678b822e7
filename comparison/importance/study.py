"""`importance_study`: real networks, networks on null hierarchies and on shuffled labels, explained in one way.

Legend of shapes: N training rows, T explained rows, F columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...attribution import Attributions, Method, attribute, calibrate_importance, hub_bias, rank_stability
from ...errors import InputError, RunError
from ...models import PathwayNetwork
from ...randomness import derive_seed
from ...structures import NullModel, build_null, null_seed
from ...structures.text_table import TableLike
from ..design.overrides import ConfigResolver
from ..runs.build import BuiltRun, build_run, build_sibling
from ..runs.quiet import quiet
from .result import ImportanceStudy
from .training import Trained, train_networks

__all__ = ["LABEL_SHUFFLES", "importance_study"]

LABEL_SHUFFLES = "label shuffles"
REAL = "real"
Rows = Literal["test", "train"]


@dataclass
class _Explained:
    """Scores and test metrics of one kind of network.

    Attributes:
        seeds: Per draw, the attributions of its networks, one per seed.
        metrics: Test metrics of all its networks.
        failed: Networks that failed.
    """

    seeds: dict[int, list[Attributions]] = field(default_factory=dict)
    metrics: list[dict[str, float]] = field(default_factory=list)
    failed: int = 0

    def mean_metrics(self) -> dict[str, float]:
        names = self.metrics[0] if self.metrics else ()
        return {name: float(np.mean([each[name] for each in self.metrics])) for name in names}


def importance_study(
    config: str | Mapping[str, Any],
    *,
    overrides: Mapping[str, Any] | None = None,
    nulls: Sequence[str | Mapping[str, Any]] = ("DegreePreserving",),
    draws: int = 50,
    label_shuffles: int = 50,
    seeds: int = 5,
    folds: int = 0,
    rows: Rows = "test",
    method: Method = "integrated_gradients",
    steps: int = 16,
    titles: TableLike | None = None,
    seed: int = 0,
) -> ImportanceStudy:
    """Train, explain and calibrate: which nodes matter more than their position does by chance.

    Per seed, the real network, one per draw of each null model and one per shuffle of the training labels are trained
    side by side, on the same rows in the same order with the same budget, and explained on the same rows against the
    mean of the training rows. What is compared are means over the seeds: of the real networks against those of each
    draw. A draw with a failed network is left out and counted.

    The nulls answer two questions. Under null hierarchies: does this node matter because of its features, or would
    any features at a place so connected? Under label shuffles: because of the phenotype, or whatever is learnt?

    Args:
        config: Name of a config as `axonlight fit` takes it, or a mapping; its network must be a `PathwayNetwork`.
        overrides: Settings by dotted keys, as on the command line.
        nulls: Null models, by name or mapping.
        draws: Draws of each.
        label_shuffles: Shuffles of the training labels; 0 for none.
        seeds: Networks per draw, and real networks: the seeds of initialisation, order and dropout are the same.
        folds: Also train a real network on each of so many folds, for the stability of the ranking; 0 for none.
        rows: Whether "test" or "train" rows are explained.
        method: See `attribute`.
        steps: Points of the integrals.
        titles: Identifiers and readable names of nodes, see `Attributions.with_titles`.
        seed: Seed of all of it.

    Returns:
        The result; `write(folder)` makes its files.

    Raises:
        InputError: If the config cannot be used, a number is too small, or a null model does not suit the data.
        RunError: If a real network fails, or too few draws are left.

    Example:
        >>> options = {"data.layer_sizes": [30, 6, 2], "data.num_causal": 2, "trainer.max_epochs": 2}
        >>> found = importance_study("pathways/simulation.yaml", overrides=options, draws=2, label_shuffles=2, seeds=2)
        >>> list(found.calibrated), len(found.table()), found.facts["networks"]
        (['DegreePreserving', 'label shuffles'], 76, 10)
    """
    models = [build_null(null) for null in nulls]
    _check_numbers(models, draws, label_shuffles, seeds, folds, rows)
    resolver = ConfigResolver([config], {"data.val_fraction": 0.0, **(overrides or {})})
    resolved = resolver.resolve({}, "the importance study")
    study = _Study(resolved, seed, rows, method, steps)
    with quiet():
        for number in range(seeds):
            study.run_seed(number, models, draws, label_shuffles)
        over_folds = [study.explain_fold(fold, folds) for fold in range(folds)]
    return _result(study, models, over_folds, titles)


class _Study:
    def __init__(self, config: dict[str, Any], seed: int, rows: Rows, method: Method, steps: int) -> None:
        self.config, self.seed, self.rows = config, seed, rows
        self.method: Method = method
        self.steps = steps
        self.found: dict[str, _Explained] = {}
        self.facts: dict[str, Any] = {"rows": rows, "method": method, "steps": steps, "seed": seed}

    def run_seed(self, number: int, models: Sequence[NullModel], draws: int, shuffles: int) -> None:
        """Train and explain the networks of one seed."""
        first = self._build(self.config, number)
        recipes = [
            (model.name, draw, {**model.describe(), "seed": null_seed(self.seed, model, draw)})
            for model in models
            for draw in range(draws)
        ]
        built = [first, *(build_sibling(first, null) for _, _, null in recipes)]  # type: ignore[arg-type]
        self._keep([(REAL, 0), *((name, draw) for name, draw, _ in recipes)], train_networks(built), first)
        if shuffles:
            siblings = [build_sibling(first, None) for _ in range(shuffles)]
            trained = train_networks(siblings, list(self._shuffled(first, shuffles)))
            self._keep([(LABEL_SHUFFLES, draw) for draw in range(shuffles)], trained, first)

    def explain_fold(self, fold: int, folds: int) -> Attributions:
        """Train and explain one real network on a fold."""
        options = {**self.config["data"].get("init_args", {}), "fold": fold, "num_folds": folds}
        run = self._build({**self.config, "data": {**self.config["data"], "init_args": options}}, 0)
        trained = train_networks([run])
        if (error := trained.error(0)) is not None:
            raise RunError(f"the network of fold {fold} failed: {error}")
        return self._explain(trained.network(0), run)

    def _build(self, config: Mapping[str, Any], number: int) -> BuiltRun:
        seed = derive_seed(self.seed, "importance", number) % 2**32
        run = build_run({"kind": "network", "config": {**config, "seed_everything": seed}})
        network = getattr(run.task, "network", None)
        if not isinstance(network, PathwayNetwork):
            raise InputError(
                f"the network is {type(network).__name__}; importance of nodes needs a PathwayNetwork, whose nodes "
                "have names and positions"
            )
        self.facts.update(run.details)
        return run

    def _shuffled(self, run: BuiltRun, shuffles: int) -> Iterator[Tensor]:
        """Yield the training labels (N,) in other orders: the same for all seeds of the networks."""
        y = run.data.train_dataloader().tensors[1]
        for draw in range(shuffles):
            generator = np.random.default_rng(derive_seed(self.seed, "label shuffle", draw))
            yield y[torch.from_numpy(generator.permutation(len(y)))]

    def _keep(self, keys: Sequence[tuple[str, int]], trained: Trained, run: BuiltRun) -> None:
        for place, (kind, draw) in enumerate(keys):
            found = self.found.setdefault(kind, _Explained())
            error = trained.error(place)
            if error is not None and kind == REAL:
                raise RunError(f"the real network failed: {error}")
            if error is not None:
                found.failed += 1
                continue
            found.seeds.setdefault(draw, []).append(self._explain(trained.network(place), run))
            found.metrics.append(trained.scores(place))

    def _explain(self, network: torch.nn.Module, run: BuiltRun) -> Attributions:
        train = run.data.train_dataloader().tensors[0]
        x = train if self.rows == "train" else run.data.test_dataloader().tensors[0]
        return attribute(network, x, method=self.method, baseline=train.mean(dim=0), steps=self.steps)


def _result(
    study: _Study, models: Sequence[NullModel], over_folds: list[Attributions], titles: TableLike | None
) -> ImportanceStudy:
    real = study.found[REAL].seeds[0]
    mean = _mean_of(real) if titles is None else _mean_of(real).with_titles(titles)
    calibrated = {}
    for name in [*(model.name for model in models), LABEL_SHUFFLES]:
        if name in study.found:
            complete = [each for each in study.found[name].seeds.values() if len(each) == len(real)]
            if len(complete) < 2:
                raise RunError(f"fewer than two draws of {name} have all their networks; take a smaller learning rate")
            draws = [_mean_of(each) for each in complete]
            calibrated[name] = calibrate_importance(mean, draws, name=name)
    stability = {"seeds": rank_stability(real)} if len(real) > 1 else {}
    if over_folds:
        stability["folds"] = rank_stability(over_folds)
    metrics = {kind: found.mean_metrics() for kind, found in study.found.items()}
    failed = {kind: found.failed for kind, found in study.found.items() if found.failed}
    networks = sum(len(found.metrics) + found.failed for found in study.found.values()) + len(over_folds)
    facts = {**study.facts, "seeds": len(real), "folds": len(over_folds), "networks": networks, "failed": failed}
    return ImportanceStudy(calibrated, stability, hub_bias(mean), metrics, facts)


def _mean_of(found: Sequence[Attributions]) -> Attributions:
    """Return attributions whose node scores are the mean sizes over several networks, as one row."""
    layers = found[0].scores
    mean = {layer: np.mean([np.abs(each.scores[layer]).mean(axis=0) for each in found], axis=0) for layer in layers}
    return replace(found[0], scores={layer: values[None] for layer, values in mean.items()})


def _check_numbers(
    models: Sequence[NullModel], draws: int, label_shuffles: int, seeds: int, folds: int, rows: str
) -> None:
    least = {"seeds": (seeds, 1), "draws": (draws, 2 if models else 0)}
    for key, (value, minimum) in least.items():
        if value < minimum:
            raise InputError(f"{key} is {value}; it must be at least {minimum}")
    for key, value in (("label_shuffles", label_shuffles), ("folds", folds)):
        if value < 0 or value == 1:
            raise InputError(f"{key} is {value}; it must be 0 for none, or at least 2")
    if not models and not label_shuffles:
        raise InputError("nulls is empty and label_shuffles is 0, so there is nothing to compare with; give one")
    if rows not in ("test", "train"):
        raise InputError(f"rows is {rows!r}; it must be test or train")
