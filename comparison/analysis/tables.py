"""What an analysed study holds: plain tables that a report prints and a program can read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..statistics import Comparison, EmpiricalTest, Estimate, VarianceComponents

__all__ = [
    "ArmSummary",
    "ClaimResult",
    "Contrast",
    "DoseResponse",
    "FailureGroup",
    "LearningCurve",
    "NamedComparison",
    "NullQuality",
    "ReportData",
    "StimulatedArm",
]


@dataclass(frozen=True)
class Contrast:
    """A question to the scores: a weighted sum of arms, positive where what stands first is better.

    Attributes:
        name: How a report calls it.
        weights: Arm to weight; two arms of weight 1 and -1 are a plain comparison.
        family: Comparisons of one family are corrected together: "planned" or "floors".

    Example:
        >>> Contrast("real against wired at random", {"real": 1.0, "random": -1.0}).pair
        ('real', 'random')
    """

    name: str
    weights: Mapping[str, float]
    family: str = "planned"

    @property
    def pair(self) -> tuple[str, str] | None:
        """First and second arm of a plain comparison, None for other weights."""
        arms = {weight: arm for arm, weight in self.weights.items()}
        return (arms[1], arms[-1]) if len(self.weights) == 2 and set(arms) == {1, -1} else None


@dataclass(frozen=True)
class NamedComparison:
    """One contrast on one metric, with the verdict of its family's correction.

    Attributes:
        contrast: What is compared.
        metric: Name of the metric.
        comparison: Difference, interval, p values and verdict; positive differences speak for the first.
        empirical: The real arm among the draws of the null it is compared with; None where no null has a part.
        null_scores: Mean over splits of every complete draw.
        real_score: Mean over splits of the real arm.
        real_is_second: Whether the draws are the first arm.
        incomplete_draws: Draws left out of `empirical`, because a run of theirs is missing.

    Example:
        >>> from axonlight.comparison import compare_scores
        >>> found = compare_scores([0.9, 0.92, 0.91], [0.8, 0.83, 0.8], test_fraction=1 / 3, rope=0.01)
        >>> one = NamedComparison(Contrast("real against random", {"real": 1.0, "random": -1.0}), "auroc", found)
        >>> one.name, one.comparison.verdict
        ('real against random', 'better')
    """

    contrast: Contrast
    metric: str
    comparison: Comparison
    empirical: EmpiricalTest | None = None
    null_scores: tuple[float, ...] = ()
    real_score: float = float("nan")
    real_is_second: bool = False
    incomplete_draws: int = 0

    @property
    def name(self) -> str:
        """Name of the contrast."""
        return self.contrast.name


@dataclass(frozen=True)
class ArmSummary:
    """Scores and runs of one arm.

    Attributes:
        kind: "network", "null", "dense" or "floor".
        is_floor: Whether it stands beside the others as a floor; a dense network may.
        null: Class and arguments of the null model, where the arm has one.
        estimates: Per metric, the mean over splits with its corrected interval; a split counts the mean over its
            seeds and draws.
        undefined: Per metric, how many finished runs had no defined value.
        parameters: Trainable parameters; None where the arm does not tell.
        seconds: Sum over its runs.
    """

    name: str
    kind: str
    estimates: Mapping[str, Estimate]
    undefined: Mapping[str, int]
    done: int
    failed: int
    waiting: int
    draws: int = 0
    parameters: int | None = None
    seconds: float = 0.0
    null: Mapping[str, Any] | None = None
    is_floor: bool = False


@dataclass(frozen=True, eq=False)
class DoseResponse:
    """How a score falls with the share of edges that are rewired.

    Attributes:
        reference: The arm without rewiring.
        fractions: (D,) shares, 0 for the reference.
        scores: (S, D) mean over seeds and draws per split.
        slope: Change of the score from nothing to everything rewired: least squares per split, then the mean.
    """

    reference: str
    metric: str
    arms: tuple[str, ...]
    fractions: tuple[float, ...]
    scores: NDArray[np.float64]
    slope: Estimate


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Values (R runs, T epochs) of a logged quantity of an arm; NaN where a run had ended."""

    arm: str
    quantity: str
    runs: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NullQuality:
    """What the draws of one null model keep of the real hierarchy.

    Attributes:
        name: How the null model names itself.
        null: Class and arguments.
        keeps: Stated invariants, which every draw was checked for.
        breaks: The other invariants known.
        arms: Arms that use it.
        draws: One row per draw; columns are quantities such as live_nodes.
        real: The same quantities of the real hierarchy, where known.
    """

    name: str
    null: Mapping[str, Any]
    keeps: tuple[str, ...]
    breaks: tuple[str, ...]
    arms: tuple[str, ...]
    draws: pd.DataFrame
    real: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FailureGroup:
    """Runs of one arm that failed with one message."""

    arm: str
    error: str
    runs: int
    first: str


@dataclass(frozen=True)
class ClaimResult:
    """What the study says about a claim.

    Attributes:
        kind: "necessity", "sufficiency", "compensation" or "double_dissociation".
        subject: What it is about.
        outcome: "shown ...", "refuted: ...", "not decided: ..." or "not shown: ...".
        parts: The comparisons that it rests on.
    """

    kind: str
    subject: str
    outcome: str
    parts: tuple[NamedComparison, ...]


@dataclass(frozen=True)
class StimulatedArm:
    """What one stimulus did at one site in one phase, over the runs of an arm.

    Attributes:
        units: Units that it reached.
        steps: In which steps it shone.
        batches: Lit batches of a run, the mean over runs.
        dose: Light times expression, summed over lit batches, the mean over runs.
    """

    arm: str
    stimulus: str
    opsin: str
    site: str
    phase: str
    units: int
    steps: str
    batches: float
    dose: float


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that a report shows.

    Attributes:
        metrics: Names; the first decides.
        ropes: Half width of the region of practical equivalence per metric.
        references: Arms that others are compared with.
        comparisons: The planned ones, contrast by contrast, every metric.
        floors: Each reference against each floor.
        components: Per network arm, on the first metric.
        planning: What is still needed for a decision, comparison to sentence.
        conditions: Label to text: data, versions, command, machine, date.
        runs: One row per planned run.
        claims: What is said of the claims.
        stimulation: What light did in which arm.
        notes: What else a reader must know, a sentence each: controls that do not exist.

    Example:
        >>> from axonlight.comparison import StudyFields
        >>> from axonlight.comparison.analysis import analyze
        >>> study = StudyFields(base="demo.yaml", arms={"a": {}, "b": {}}, floors=[], folds=2, repeats=3)
        >>> runs = [
        ...     {"arm": arm, "repeat": 0, "fold": fold, "seed": 0, "draw": None, "key": f"{arm} {fold}",
        ...      "state": "done", "auroc": 0.9}
        ...     for arm in ("a", "b") for fold in range(2)
        ... ]
        >>> data = analyze(study, pd.DataFrame(runs))
        >>> isinstance(data, ReportData), data.splits, data.arm("b").done
        (True, 6, 2)
    """

    name: str
    question: str
    metrics: tuple[str, ...]
    ropes: Mapping[str, float]
    references: tuple[str, ...]
    folds: int
    repeats: int
    seeds: int
    correction: str
    arms: tuple[ArmSummary, ...]
    comparisons: tuple[NamedComparison, ...]
    floors: tuple[NamedComparison, ...]
    components: Mapping[str, VarianceComponents]
    doses: tuple[DoseResponse, ...]
    curves: tuple[LearningCurve, ...]
    nulls: tuple[NullQuality, ...]
    planning: Mapping[str, tuple[str, ...]]
    failures: tuple[FailureGroup, ...]
    conditions: Mapping[str, str]
    runs: pd.DataFrame
    claims: tuple[ClaimResult, ...] = ()
    stimulation: tuple[StimulatedArm, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> int:
        """Folds times repeats."""
        return self.folds * self.repeats

    @property
    def decisive(self) -> tuple[NamedComparison, ...]:
        """The planned comparisons on the first metric."""
        return tuple(found for found in self.comparisons if found.metric == self.metrics[0])

    def arm(self, name: str) -> ArmSummary:
        """Return the summary of one arm."""
        return next(arm for arm in self.arms if arm.name == name)
