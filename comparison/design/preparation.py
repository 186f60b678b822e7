"""Resolve, build and check every distinct arm once, and turn the arms into what is planned."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from ...errors import InputError
from ...models import PathwayNetwork, RegressionTask, SurvivalTask
from ...structures import NullModel, build_null, null_seed
from ..runs.build import build_run
from ..runs.data_cache import data_of
from ..runs.quiet import nothing_left_behind
from ..runs.recipe import software_versions
from .arms import FLOORS, SURVIVAL_FLOORS, Arm
from .checks import nearest
from .fields import StudyFields
from .overrides import ConfigResolver, Resolved
from .plan import PlannedArm, initial_seed, split_seed
from .stimulated import Stimulation, resolve_stimulation
from .validation import (
    check_common,
    check_metrics,
    check_paired,
    check_split_keys,
    check_trainer,
    check_without,
    data_fingerprint,
    row_digest,
)

__all__ = ["Prepared", "prepare"]

# Draws of a null model that are looked at before anything is trained.
_DRAWS_LOOKED_AT = 20
_USUAL_METRICS = ((RegressionTask, ("rmse",)), (SurvivalTask, ("c_index",)))


@dataclass(frozen=True)
class Prepared:
    """A study whose arms are known to work.

    Attributes:
        fields: The study, with its metrics and floors spelled out.
        arms: What is planned.
        fingerprint: Checksum of the data of the reference.
    """

    fields: StudyFields
    arms: tuple[PlannedArm, ...]
    fingerprint: str | None


@dataclass(frozen=True)
class _Built:
    """A config on the first split, and what was found out about it."""

    config: Resolved
    task: LightningModule
    data: LightningDataModule
    fingerprint: str | None
    rows: str | None


def prepare(fields: StudyFields) -> Prepared:
    """Check everything that can be checked before training.

    Raises:
        InputError: Naming the arm and the key that cannot be used, and the smallest change that helps.
    """
    check_common(fields.overrides)
    for arm in fields.all_arms:
        check_split_keys(arm)
    with nothing_left_behind():
        return _Preparation(fields).run()


class _Preparation:
    def __init__(self, fields: StudyFields) -> None:
        self.fields = fields
        bases = [fields.base] if isinstance(fields.base, (str, Mapping)) else list(fields.base)
        self.resolver = ConfigResolver(bases, fields.overrides)
        self.built: dict[str, _Built] = {}
        self.asked: dict[str, _Built] = {}
        self.stimulation = Stimulation()

    def run(self) -> Prepared:
        reference = self._built(self.fields.arm(self.fields.references[0]))
        self.stimulation = resolve_stimulation(self.fields.all_arms, self._built, self.fields.seed)
        check_without(self.fields.comparisons, self.stimulation.without)
        self.fields = replace(
            self.fields,
            floors=self._floors(reference),
            metrics=self._metrics(reference.task),
            without=self.stimulation.without,
        )
        fields, arms = self.fields, []
        rows: dict[str, str | None] = {}
        for arm in fields.all_arms:
            built = reference if arm.is_floor or arm.kind == "floor" else self._built(arm)
            rows[arm.name] = built.rows
            check_metrics(fields.metrics or (), built.task, arm.name)
            arms.append(self._planned(arm, built))
        check_paired(fields, rows)
        return Prepared(fields, tuple(arms), reference.fingerprint)

    def _floors(self, reference: _Built) -> Sequence[str]:
        """Return the floors: all that there are, the dense one only where the reference is a pathway network."""
        known = _survival_floors(reference.data) if isinstance(reference.task, SurvivalTask) else list(FLOORS)
        arms = [arm.floor for arm in self.fields.all_arms if arm.kind == "floor" and not arm.is_floor]
        for floor in (*(self.fields.floors or ()), *arms):
            if floor not in (*known, "dense"):
                raise InputError(
                    f"floors names '{floor}', which {type(reference.task).__name__} on these data does not have"
                    f"{nearest(str(floor), known)}"
                )
        if self.fields.floors is not None:
            return self.fields.floors
        sparse = isinstance(getattr(reference.task, "network", None), PathwayNetwork)
        # expression alone is what a network without covariates sees: it stands there as ridge
        return [floor for floor in (*known, "dense") if floor != "rna" and (sparse or floor != "dense")]

    def _metrics(self, task: LightningModule) -> tuple[str, ...]:
        given = self.fields.metrics
        if given is not None and not given:
            raise InputError("metrics is an empty list; name one or more, such as [auroc, accuracy], or leave it out")
        chosen = tuple(given) if given else self._usual_metric(task)
        check_metrics(chosen, task, self.fields.references[0])
        for metric in chosen:
            self.fields.rope_of(metric)
        claimed = [part.metric for claim in self.fields.all_claims for part in claim.parts if part.metric is not None]
        if unknown := [metric for metric in claimed if metric not in chosen]:
            raise InputError(f"claims names the metric {unknown[0]}, which metrics does not name; add it there")
        if unused := [metric for metric in self.fields.rope or () if metric not in chosen]:
            raise InputError(f"rope has an entry for {unused[0]}, which metrics does not name; add it or take it out")
        return chosen

    @staticmethod
    def _usual_metric(task: LightningModule) -> tuple[str, ...]:
        return next((metrics for kind, metrics in _USUAL_METRICS if isinstance(task, kind)), ("auroc",))

    def _built(self, arm: Arm) -> _Built:
        asked = json.dumps([dict(arm.overrides), arm.dense], sort_keys=True, default=str)
        if asked not in self.asked:  # arms that differ in their null model alone: parsing takes longer than building
            self.asked[asked] = self._resolved(arm)
        return self.asked[asked]

    def _resolved(self, arm: Arm) -> _Built:
        where = _described(arm)
        config = self.resolver.resolve(arm.overrides, where)
        check_trainer(where, config["trainer"])
        key = json.dumps([config, arm.dense], sort_keys=True)
        if key not in self.built:
            self.built[key] = self._build(config, arm, where)
        return self.built[key]

    def _build(self, config: Resolved, arm: Arm, where: str) -> _Built:
        options = config["data"].setdefault("init_args", {})
        for name in ("fold", "num_folds", "split_seed"):
            if name not in options:
                kind = config["data"]["class_path"].rpartition(".")[2]
                raise InputError(f"{where}: {kind} has no option {name}, so a study cannot divide its rows")
        fields = self.fields
        options.update(fold=0, num_folds=fields.folds, split_seed=split_seed(fields.seed, 0))
        config["seed_everything"] = initial_seed(fields.seed, 0, 0, 0)
        try:
            run = build_run({"kind": "network", "config": config, "dense": arm.dense})
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        return _Built(config, run.task, run.data, data_fingerprint(run.data), row_digest(run.data))

    def _planned(self, arm: Arm, built: _Built) -> PlannedArm:
        recipe: dict[str, Any] = {
            "kind": "floor" if arm.kind == "floor" else "network",
            "config": built.config,
            "null": None,
            "dense": arm.dense,
            "floor": arm.floor,
            "versions": software_versions(),
            "data_fingerprint": built.fingerprint,
        }
        seeds = self.fields.seeds if arm.kind != "floor" else 1
        protocols = self.stimulation.protocols.get(arm.name, [])
        if len(protocols) == 1:  # what is not stimulated has no such entry, so that its key is the one it always had
            recipe["protocol"] = protocols[0]
        if arm.null is None:
            draws = [{"protocol": protocol} for protocol in protocols] if arm.num_draws else []
            return PlannedArm(arm.name, recipe, draws, seeds)
        null = self._null(arm)
        draw_seeds = [null_seed(self.fields.seed, null, draw) for draw in range(arm.num_draws)]
        recipe["null"] = null.describe()
        self._check_draws(arm, built, recipe["null"], draw_seeds[:_DRAWS_LOOKED_AT])
        draws = [{"null": {**recipe["null"], "seed": seed}} for seed in draw_seeds]
        return PlannedArm(arm.name, recipe, draws, seeds)

    def _null(self, arm: Arm) -> NullModel:
        try:
            return build_null(arm.null or "")
        except InputError as error:
            raise InputError(f"arm '{arm.name}': {error}") from error

    def _check_draws(self, arm: Arm, built: _Built, null: Mapping[str, Any], seeds: list[int]) -> None:
        """Refuse a null model without a hierarchy to change, and one that leaves no path from features to outputs."""
        where, name = f"arm '{arm.name}'", null["class_path"]
        if getattr(built.data, "hierarchy", None) is None:
            raise InputError(
                f"{where}: null is {name}, but the data have no hierarchy to draw from; set data.hierarchy in the "
                "overrides of the study, or leave out null"
            )
        if getattr(built.task, "hierarchy", None) is None:
            kind = type(getattr(built.task, "network", built.task)).__name__
            raise InputError(
                f"{where}: null is {name}, but {kind} takes no hierarchy, so every draw would be the same network; "
                "take a network that is built on one, such as PathwayNetwork, or leave out null"
            )
        for draw, seed in enumerate(seeds):
            try:
                _, quality = data_of(built.config["data"], lambda: built.data, {**null, "seed": seed})  # type: ignore[typeddict-item]
            except InputError as error:
                raise InputError(f"{where}: {error}") from error
            if not quality["live_inputs"]:
                raise InputError(
                    f"{where}: draw {draw} of {name} leaves no live path from a feature to the top layer, so its "
                    "network could learn nothing; take a null that keeps degrees, such as DegreePreserving, or a "
                    "denser hierarchy"
                )


def _described(arm: Arm) -> str:
    if not arm.overrides:
        return f"arm '{arm.name}'"
    settings = ", ".join(f"{key}: {value}" for key, value in arm.overrides.items())
    return f"arm '{arm.name}' ({settings if len(settings) <= 120 else ', '.join(arm.overrides)})"


def _survival_floors(data: Any) -> list[str]:
    """Return the floors that the views of survival data allow."""
    told = getattr(data, "floor_views", None)
    views = set(told()) if told is not None else set()
    if "clinical" in views and views & {"rna", "pathway_means"}:
        views.add("rank_average")
    return [floor for floor in SURVIVAL_FLOORS if floor in ("constant", "ridge") or floor in views]
