"""The keys of a search, checked one by one; nothing is read or built here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple, Self

from ..comparison.design.checks import (
    check_count,
    check_distinct,
    check_keys,
    check_list,
    check_mapping,
    check_text,
)
from ..errors import InputError

__all__ = [
    "ControlSettings",
    "FewStepSettings",
    "FinalistSettings",
    "GateSettings",
    "HalvingSettings",
    "ProxySettings",
    "SearchSettings",
]

_IN_NO_NAME = frozenset('/\\:*?"<>|')
KNOWN_CONTROLS = ("relu", "gelu", "silu", "GrowingCosine", "Snake", "ASH")


class _Part:
    """A part of the settings: made from a mapping, unknown keys refused."""

    @classmethod
    def from_mapping(cls, where: str, given: Any) -> Self:
        """Return the part that a mapping describes."""
        values = check_mapping(where, given)
        check_keys(where, values, [item.name for item in fields(cls)])  # type: ignore[arg-type]
        try:
            return cls(**values)
        except InputError as error:
            raise InputError(f"{where}.{error}") from error


def _check_number(key: str, value: Any, above: float) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > above:
        raise InputError(f"{key} is {value!r}; it must be a number above {above:g}")


@dataclass(frozen=True)
class GateSettings(_Part):
    """What a formula must be before anything is computed with it.

    Attributes:
        max_growth: Largest exponent g of |f(x)| ~ |x|^g.
        max_slope: Largest slope on [-10, 10].
        normalize: Whether networks get the formula shifted and scaled to mean 0 and variance 1 under N(0, 1); then
            formulas that differ in shift, scale or sign alone are one candidate.

    Example:
        >>> GateSettings(max_growth=2.0).normalize
        True
    """

    max_growth: float = 3.0
    max_slope: float = 1e4
    normalize: bool = True

    def __post_init__(self) -> None:
        _check_number("max_growth", self.max_growth, 0)
        _check_number("max_slope", self.max_slope, 0)
        if not isinstance(self.normalize, bool):
            raise InputError(f"normalize is {self.normalize!r}; it must be true or false")


@dataclass(frozen=True)
class ProxySettings(_Part):
    """The stage that looks at networks before any training.

    Attributes:
        keep: How many candidates go on.
        rows: Training rows of the batch that goes through every network.

    Example:
        >>> ProxySettings(keep=100).rows
        512
    """

    keep: int = 3500
    rows: int = 512

    def __post_init__(self) -> None:
        check_count("keep", self.keep)
        check_count("rows", self.rows, 2)


@dataclass(frozen=True)
class FewStepSettings(_Part):
    """The stage that trains for a few steps and looks at the validation loss then.

    Attributes:
        keep: How many candidates go on.
        steps: Number of steps.

    Example:
        >>> FewStepSettings(keep=50).steps
        24
    """

    steps: int = 24
    keep: int = 2400

    def __post_init__(self) -> None:
        check_count("steps", self.steps, 2)
        check_count("keep", self.keep)


class Rung(NamedTuple):
    """One rung of successive halving: epochs of a training, candidates kept, trainings of each."""

    epochs: int
    keep: int
    seeds: int


@dataclass(frozen=True)
class HalvingSettings(_Part):
    """Successive halving: train for some epochs, keep the best on validation rows, train these anew and longer.

    Attributes:
        epochs: Epochs of each rung, rising.
        keep: How many candidates each rung keeps, falling.
        seeds: Trainings of a candidate whose mean decides, in each rung; None: one.

    Source:
        Jamieson and Talwalkar, "Non-stochastic best arm identification" (2016), arXiv 1502.07943; here every rung
        begins anew with a seed of its own, so that no candidate is kept for the luck of its first one.

    Example:
        >>> HalvingSettings(epochs=[1, 3], keep=[20, 5]).rungs[1]
        Rung(epochs=3, keep=5, seeds=1)
    """

    epochs: Sequence[int] = (5, 10, 15)
    keep: Sequence[int] = (1000, 200, 10)
    seeds: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.seeds is None:
            object.__setattr__(self, "seeds", [1] * len(check_list("epochs", self.epochs, "[5, 10, 15]")))
        for key, example in (("epochs", "[5, 10, 15]"), ("keep", "[1000, 200, 10]"), ("seeds", "[1, 1, 3]")):
            values = check_list(key, getattr(self, key), example)
            object.__setattr__(self, key, tuple(check_count(f"{key}[{place}]", v) for place, v in enumerate(values)))
            if len(getattr(self, key)) != len(self.epochs) or not self.epochs:
                raise InputError(
                    f"{key} lists {len(values)} numbers for {len(self.epochs)} numbers of epochs; give one for each"
                )
        if list(self.epochs) != sorted(set(self.epochs)):
            raise InputError(f"epochs is {list(self.epochs)}; every rung must train longer than the one before")
        if list(self.keep) != sorted(self.keep, reverse=True):
            raise InputError(f"keep is {list(self.keep)}; no rung can keep more than the one before")

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs, the shortest training first."""
        return tuple(map(Rung, self.epochs, self.keep, self.seeds or ()))


@dataclass(frozen=True)
class FinalistSettings(_Part):
    """The candidates that are trained with many seeds.

    Attributes:
        count: How many.
        seeds: Seeds of each; the interval is over these.

    Example:
        >>> FinalistSettings().seeds
        10
    """

    count: int = 10
    seeds: int = 10

    def __post_init__(self) -> None:
        check_count("count", self.count)
        check_count("seeds", self.seeds, 2)


@dataclass(frozen=True)
class ControlSettings(_Part):
    """Activations that nobody searched for, trained as the finalists are.

    Attributes:
        known: Specs of known activations; the first is the reference that the winner is compared with.
        random: How many random formulas are drawn from those that pass the gate.

    Example:
        >>> ControlSettings(known=["relu"], random=3).known
        ('relu',)
    """

    known: Sequence[str] = KNOWN_CONTROLS
    random: int = 10

    def __post_init__(self) -> None:
        known = check_list("known", self.known, "[relu, gelu]")
        for place, spec in enumerate(known):
            check_text(f"known[{place}]", spec)
        check_distinct("known", known)
        if not known:
            raise InputError("known is an empty list; name one or more, such as relu: the first is the reference")
        object.__setattr__(self, "known", tuple(known))
        check_count("random", self.random, 0)


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The keys of a search.

    Attributes:
        base: Config of `axonlight fit`, by name or as a mapping, or a list of them.
        name: Name of the search and of its folder.
        question: What it is to answer, for the report.
        overrides: Settings of the config by dotted keys.
        engine: Where formulas come from: a name, or a mapping with its `kind`.
        gate: See `GateSettings`.
        metric: Name of the metric of validation rows; None: auroc, or rmse for regression.
        validation_fraction: Share of the training rows of the base on which candidates are judged.
        proxies: See `ProxySettings`; None skips the stage.
        few_steps: See `FewStepSettings`; None skips the stage.
        halving: See `HalvingSettings`.
        finalists: See `FinalistSettings`.
        controls: See `ControlSettings`.
        rope: Half width of the region of practical equivalence; None: 0.01 for a metric from 0 to 1.
        seed: Decides every random number of the search.
        workers: Processes; None: one per core, 0: this process.
        max_batch: Most networks that are trained side by side.

    Raises:
        InputError: If a key is unknown or a value is not allowed.

    Example:
        >>> settings = SearchSettings.from_mapping({"base": "demo.yaml", "stages": {"halving": {"epochs": [1, 2],
        ...     "keep": [20, 10]}}, "finalists": {"count": 5}})
        >>> settings.halving.epochs, settings.few_steps.steps, settings.finalists.count
        ((1, 2), 24, 5)
    """

    base: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
    name: str = "search"
    question: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    engine: str | Mapping[str, Any] = "enumerate"
    gate: GateSettings = field(default_factory=GateSettings)
    metric: str | None = None
    validation_fraction: float = 0.2
    proxies: ProxySettings | None = field(default_factory=ProxySettings)
    few_steps: FewStepSettings | None = field(default_factory=FewStepSettings)
    halving: HalvingSettings = field(default_factory=HalvingSettings)
    finalists: FinalistSettings = field(default_factory=FinalistSettings)
    controls: ControlSettings = field(default_factory=ControlSettings)
    rope: float | None = None
    seed: int = 0
    workers: int | None = None
    max_batch: int = 100

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Self:
        """Return the settings that a search file holds.

        Raises:
            InputError: As the class; also if there is no base.
        """
        content = {key: value for key, value in check_mapping("the search", given).items() if value is not None}
        check_keys("the search", content, [*_TOP_KEYS, "stages"])
        if "base" not in content:
            raise InputError("the search has no base, the config whose network it is for; add one, such as demo.yaml")
        stages = check_mapping("stages", content.pop("stages", {}))
        check_keys("stages", stages, _STAGES)
        for key, kind in _STAGES.items():
            if key in stages:
                content[key] = kind.from_mapping(f"stages.{key}", stages[key]) if stages[key] is not None else None
        for key, kind in _PARTS.items():
            if key in content:
                content[key] = kind.from_mapping(key, content[key])
        if content.get("halving", ...) is None:
            raise InputError("stages.halving is null, but no finalist can be chosen without it; leave it out")
        return cls(**content)

    def __post_init__(self) -> None:
        for key in ("name", "question"):
            check_text(key, getattr(self, key))
        if not self.name.isprintable() or not self.name.strip(" .") or _IN_NO_NAME & set(self.name):
            raise InputError(f"name is {self.name!r}; it names the folder of the results, so it must be a file name")
        if not isinstance(self.engine, str):
            check_mapping("engine", self.engine)
        check_mapping("overrides", self.overrides)
        if self.metric is not None:
            check_text("metric", self.metric)
        share = self.validation_fraction
        if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 < share < 1:
            raise InputError(f"validation_fraction is {share!r}; it is a share of the training rows, between 0 and 1")
        if self.rope is not None:
            _check_number("rope", self.rope, 0)
        check_count("seed", self.seed, 0)
        check_count("max_batch", self.max_batch)
        if self.workers is not None:
            check_count("workers", self.workers, 0)
        if self.finalists.count > self.halving.keep[-1]:
            raise InputError(
                f"finalists.count is {self.finalists.count}, but the last rung of stages.halving keeps "
                f"{self.halving.keep[-1]}; set it to {self.halving.keep[-1]} or fewer, or keep more"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, with the stages under their key, that `from_mapping` takes."""
        values = asdict(self)
        stages = {key: values.pop(key) for key in _STAGES}
        return {**values, "stages": stages}


_STAGES: dict[str, type[_Part]] = {
    "proxies": ProxySettings,
    "few_steps": FewStepSettings,
    "halving": HalvingSettings,
}
_PARTS: dict[str, type[_Part]] = {"gate": GateSettings, "finalists": FinalistSettings, "controls": ControlSettings}
_TOP_KEYS = [item.name for item in fields(SearchSettings) if item.name not in _STAGES]
