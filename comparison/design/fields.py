"""What a study file says, checked key by key; nothing is read or built here."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...errors import InputError
from .arms import FLOORS, SURVIVAL_FLOORS, Arm
from .checks import check_count, check_distinct, check_list, check_mapping, check_text, nearest
from .claims import Claim, checked_claims
from .contrasts import checked_contrasts
from .controls import control_pairs
from .factors import Factors

__all__ = ["EXECUTORS", "StudyFields"]

EXECUTORS = ("local", "ray", "slurm")
CORRECTIONS = ("holm", "bh")
_ALL_FLOORS = (*FLOORS, "dense")
_KNOWN_FLOORS = tuple(dict.fromkeys((*_ALL_FLOORS, *SURVIVAL_FLOORS)))
# Differences that matter in practice are larger; metrics in the target's unit have no such number.
_ROPE = {
    "auroc": 0.01,
    "average_precision": 0.01,
    "accuracy": 0.01,
    "f1": 0.01,
    "calibration_error": 0.01,
    "r2": 0.01,
    "c_index": 0.01,
    "uno_c_index": 0.01,
}
_SHARES = frozenset(_ROPE) - {"r2"}
_IN_NO_NAME = frozenset('/\\:*?"<>|')


@dataclass(frozen=True, kw_only=True)
class StudyFields:
    """The keys of a study; docs/studies.md describes each.

    Raises:
        InputError: If a value is not allowed, naming the smallest change that makes it so.

    Example:
        >>> arms = {"real": {}, "rewired": {"null": "DegreePreserving", "draws": 100}}
        >>> fields = StudyFields(base="demo.yaml", arms=arms, floors=["constant"])
        >>> [arm.name for arm in fields.all_arms], fields.references, fields.contrasts
        (['real', 'rewired', 'constant'], ('real',), [['real', 'rewired']])
        >>> StudyFields(base="demo.yaml", arms=arms, folds=1)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: folds is 1, so no row would be tested by a network that has not seen it, and \
nothing could be said about other splits; set folds to 2 or more, such as 5
    """

    base: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
    name: str = "study"
    question: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    arms: Mapping[str, Any] = field(default_factory=dict)
    factors: Mapping[str, Any] = field(default_factory=dict)
    reference: str | Mapping[str, Any] | None = None
    comparisons: Sequence[Any] | None = None
    interactions: Sequence[Mapping[str, Any]] = ()
    claims: Sequence[Mapping[str, Any]] = ()
    floors: Sequence[str] | None = None
    folds: int = 5
    repeats: int = 2
    seeds: int = 1
    seed: int = 0
    metrics: Sequence[str] | None = None
    rope: Mapping[str, float] | None = None
    p_floor: float | None = None
    correction: str = "holm"
    executor: str = "local"
    workers: int | None = None
    max_batch: int = 64
    address: str = "auto"
    slurm: Mapping[str, Any] = field(default_factory=dict)
    # Control arms that do not exist, and why: what only the networks tell, so no key of a study file.
    without: Mapping[str, str] = field(default_factory=dict, metadata={"found": True})

    def __post_init__(self) -> None:
        for key in ("name", "question", "address"):
            check_text(key, getattr(self, key))
        if not self.name.isprintable() or not self.name.strip(" .") or _IN_NO_NAME & set(self.name):
            raise InputError(f"name is {self.name!r}; it names the folder of the results, so it must be a file name")
        if self.folds == 1:
            raise InputError(
                "folds is 1, so no row would be tested by a network that has not seen it, and nothing could be said "
                "about other splits; set folds to 2 or more, such as 5"
            )
        for key, least in (("folds", 2), ("repeats", 1), ("seeds", 1), ("seed", 0), ("max_batch", 1)):
            check_count(key, getattr(self, key), least)
        if self.workers is not None:
            check_count("workers", self.workers, 0)
        for key, known in (("executor", EXECUTORS), ("correction", CORRECTIONS)):
            if getattr(self, key) not in known:
                raise InputError(f"{key} is {getattr(self, key)!r}{nearest(str(getattr(self, key)), known)}")
        for key in ("slurm", "overrides"):
            check_mapping(key, getattr(self, key))
        if self.metrics is not None:
            check_distinct("metrics", check_list("metrics", self.metrics, "[auroc, accuracy]"))
        self._check_rope()
        _ = self.all_arms, self.contrasts, self.all_claims
        self._check_draws()

    def _check_rope(self) -> None:
        for metric, half_width in check_mapping("rope", self.rope).items():
            number = isinstance(half_width, (int, float)) and not isinstance(half_width, bool)
            if not number or not math.isfinite(half_width) or half_width <= 0:
                raise InputError(f"rope.{metric} is {half_width!r}; it must be a positive number in the metric's unit")
            if metric in _SHARES and half_width >= 1:
                raise InputError(
                    f"rope.{metric} is {half_width!r}, but no two values from 0 to 1 differ by more; set it below 1, "
                    f"such as to {_ROPE[metric]}"
                )

    def _check_draws(self) -> None:
        """Refuse fewer draws than the smallest empirical p asks for."""
        if self.p_floor is None:
            return
        if not isinstance(self.p_floor, (int, float)) or not 0 < self.p_floor < 1:
            raise InputError(f"p_floor is {self.p_floor!r}; it must be a probability, above 0 and below 1")
        # The smallest p is 1 / (1 + draws); rounding must not ask for one more.
        needed = int(-(-(1 - 1e-12) // self.p_floor)) - 1
        for arm in self.all_arms:
            if arm.kind == "null" and arm.num_draws < needed:
                draws = "1 draw" if arm.num_draws == 1 else f"{arm.num_draws} draws"
                raise InputError(
                    f"p_floor is {self.p_floor:g}, but {draws} of arm '{arm.name}' can give no "
                    f"empirical p below {1 / (1 + arm.num_draws):.3g}; set its draws to {needed} or p_floor to "
                    f"{1 / (1 + arm.num_draws):.3g}"
                )

    @cached_property
    def all_arms(self) -> tuple[Arm, ...]:
        """The arms of the file, those of its factors, each with its controls, and the floors."""
        own = [Arm.from_mapping(name, arm) for name, arm in check_mapping("arms", self.arms).items()]
        given = [*Factors.from_mapping(self.factors).arms(), *own]
        arms = [one for arm in given for one in (arm, *arm.control_arms()) if one.name not in self.without]
        names = [arm.name for arm in arms]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(f"arm '{twice[0]}' is there twice, as an arm and as a product of factors; rename one")
        if not arms:
            raise InputError("arms is empty; a study compares two or more, such as real: {} and random: {null: ...}")
        return (*arms, *self._floor_arms(names))

    def _floor_arms(self, taken: Sequence[str]) -> list[Arm]:
        chosen = _ALL_FLOORS if self.floors is None else self.floors
        check_distinct("floors", check_list("floors", chosen, f"[{', '.join(_ALL_FLOORS)}]"))
        found = []
        for floor in chosen:
            if floor not in _KNOWN_FLOORS:
                raise InputError(f"floors names the unknown floor '{floor}'{nearest(str(floor), _KNOWN_FLOORS)}")
            name = f"{floor} floor" if floor in taken else floor
            dense = floor == "dense"
            found.append(
                Arm(name, is_floor=True, dense="parameters" if dense else None, floor=None if dense else floor)
            )
        return found

    @cached_property
    def references(self) -> tuple[str, ...]:
        """The arms that others are compared with: one, or one per combination of the other factors."""
        names = [arm.name for arm in self.all_arms if not arm.is_floor]
        if isinstance(self.reference, Mapping):
            return tuple(Factors.from_mapping(self.factors).references(self.reference))
        if self.reference is not None:
            name = str(self.reference)  # YAML reads some names as numbers
            if name not in names:
                raise InputError(f"reference is the unknown arm '{name}'{nearest(name, names)}")
            return (name,)
        if self.factors:
            factor, levels = list(self.factors.items())[-1]
            raise InputError(
                f"reference is missing; with factors, name one and its level, such as {factor}: {next(iter(levels))}"
            )
        return (names[0],)

    @cached_property
    def contrasts(self) -> list[Any]:
        """What is compared: pairs of arms, or a name and weights; positive differences speak for the first."""
        names = [arm.name for arm in self.all_arms]
        planned = [*self._planned(), *checked_contrasts(self._interactions(), names)]
        claimed = [[part.first, part.second] for claim in self.all_claims for part in claim.parts]
        return [*planned, *(pair for place, pair in enumerate(claimed) if pair not in [*planned, *claimed[:place]])]

    @cached_property
    def all_claims(self) -> list[Claim]:
        """The claims, each with the comparisons that must speak for it."""
        return checked_claims(self.claims, self.all_arms, self._with_reference())

    def _interactions(self) -> list[dict[str, Any]]:
        given = check_list("interactions", self.interactions, "[{activation: tanh, wiring: real}]")
        factors = Factors.from_mapping(self.factors)
        wanted = [check_mapping("interactions", item) for item in given]
        return [found for item in wanted for found in factors.interactions(item)]

    def _planned(self) -> list[Any]:
        if self.comparisons is not None:
            return checked_contrasts(self.comparisons, [arm.name for arm in self.all_arms])
        pairs = self._with_reference()
        if not pairs and not any(arm.is_floor for arm in self.all_arms):
            raise InputError("arms holds a single arm and there are no floors, so there is nothing to compare; add one")
        return [*pairs, *control_pairs(self.all_arms, pairs)]

    def _with_reference(self) -> list[list[str]]:
        """Return each reference with the arms that are compared with it; controls belong to other arms."""
        if isinstance(self.reference, Mapping):
            return [list(pair) for pair in Factors.from_mapping(self.factors).pairs(self.reference)]
        first = self.references[0]
        compared = [arm for arm in self.all_arms if not arm.is_floor and arm.kind != "floor" and arm.control is None]
        return [[first, arm.name] for arm in compared if arm.name != first]

    def arm(self, name: str) -> Arm:
        """Return an arm by its name."""
        return next(arm for arm in self.all_arms if arm.name == name)

    def rope_of(self, metric: str) -> float:
        """Return half the width of the region of practical equivalence.

        Raises:
            InputError: If the study does not say and there is no usual one.
        """
        given = check_mapping("rope", self.rope)
        if metric in given:
            return float(given[metric])
        if metric not in _ROPE:
            raise InputError(
                f"rope has no entry for {metric}, whose unit is that of the data; add the smallest difference that "
                f"matters, such as rope: {{{metric}: 0.1}}"
            )
        return _ROPE[metric]

    @property
    def num_workers(self) -> int:
        """Processes that run side by side: as many as there are cores, where the study does not say."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers
