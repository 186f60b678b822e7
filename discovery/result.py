"""What a search found: candidates with all their scores, finalists beside controls, and how far to trust them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..comparison.statistics import Comparison, Estimate
from .candidate import Candidate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Contender", "FinalActivation", "SearchResult", "SearchedCandidate", "SelectionInflation", "StageOutcome"]


@dataclass(frozen=True)
class StageOutcome:
    """One stage of the funnel.

    Attributes:
        name: "propose", "gate", "proxies", "few_steps", "halving 2 epochs", ..., "finalists", "test".
        entered: Candidates that entered it.
        failed: Candidates that it could give no score, such as those whose loss was no number.
        kept: Candidates that it kept.
        seconds: Wall-clock time, of all processes that worked on it one after the other.
        score: Name of the score that decided, a key of the candidates' scores; None where none did.
        reasons: Why candidates failed, with numbers, the commonest first.
        agreement: Rank correlation of this stage's score with the next one's, over candidates that have both; NaN
            where there are fewer than three. Near 0, this stage chose no better than chance.

    Example:
        >>> StageOutcome("gate", entered=526, failed=30, kept=300, seconds=1.5).left_behind
        196
    """

    name: str
    entered: int
    failed: int
    kept: int
    seconds: float
    score: str | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)
    agreement: float = float("nan")

    @property
    def left_behind(self) -> int:
        """Candidates that neither failed nor were kept: others were better, or equal to them."""
        return self.entered - self.failed - self.kept


@dataclass(frozen=True)
class SearchedCandidate:
    """A candidate and how far it came.

    Attributes:
        candidate: With the scores of every stage: "gate/slope", "proxies/lost_decades", "few_steps/loss", "halving 2
            epochs/auroc", "finalists/auroc".
        reached: Name of the last stage that it entered.
        failure: Why it has no score there, or which candidate it equals; None if it has one.

    Example:
        >>> found = SearchedCandidate(Candidate.from_text("1/x", engine="enumerate"), "gate", "not finite at x = 0")
        >>> found.reached
        'gate'
    """

    candidate: Candidate
    reached: str
    failure: str | None = None


@dataclass(frozen=True)
class Contender:
    """An activation that was trained with every seed of the finalists.

    Attributes:
        name: Its formula, or the spec of a known activation.
        kind: "finalist", "known", or "random" for a formula that was drawn and not chosen.
        spec: The activation as networks took it.
        scores: Of the validation rows, one per seed; NaN where the run failed.
        estimate: Mean and interval over seeds, on the one split.
        candidate: What else is known of a formula; None for a known activation.
        known_as: What a formula is known as, such as "the Growing Cosine Unit"; None for a new one.
        on_front: Whether no other finalist is as good in score, nodes, cost and smoothness and better in one.
        failures: Why runs failed, one sentence each.

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> scores = (0.81, 0.82, 0.80)
        >>> Contender("relu", "known", "relu", scores, estimate_mean(scores, 0.2)).estimate.count
        3
    """

    name: str
    kind: Literal["finalist", "known", "random"]
    spec: str
    scores: tuple[float, ...]
    estimate: Estimate
    candidate: Candidate | None = None
    known_as: str | None = None
    on_front: bool = False
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class FinalActivation:
    """The winner, or a known activation, trained with fresh seeds and scored on the test rows.

    Attributes:
        name: As that of the contender.
        spec: The activation as networks took it.
        test_scores: One per fresh seed.
        validation_scores: Of the same networks.
        test: Mean and interval over seeds of `test_scores`.
        validation: Mean and interval over seeds of `validation_scores`.
        against: The winner's test scores against these, paired by seed; None for the winner itself.
        failures: Why runs failed.

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> test, validation = estimate_mean([0.81, 0.80], 0.2), estimate_mean([0.83, 0.82], 0.2)
        >>> round(FinalActivation("relu", "relu", (0.81, 0.80), (0.83, 0.82), test, validation).test.mean, 3)
        0.805
    """

    name: str
    spec: str
    test_scores: tuple[float, ...]
    validation_scores: tuple[float, ...]
    test: Estimate
    validation: Estimate
    against: Comparison | None = None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class SelectionInflation:
    """How much better the winner looked when it was chosen; positive numbers are optimism.

    Attributes:
        metric: Name of the metric.
        selection: The mean validation score by which it was chosen.
        fresh: The same, with seeds that took no part in the choice.
        test: With these seeds on the test rows.
        by_seeds: Optimism of the choice among seeds: `selection` against `fresh`.
        by_rows: Optimism of the choice on those validation rows: what the winner loses from validation to test rows
            beyond what the reference, which nobody chose, loses.
        reference: Name of that reference.

    Example:
        >>> inflation = SelectionInflation("auroc", 0.86, 0.855, 0.850, 0.005, 0.002, "relu")
        >>> print(inflation.sentence())
        The winner was chosen with a mean validation auroc of 0.8600; fresh seeds gave 0.8550 on the same rows and \
0.8500 on the test rows, so the choice flattered it by 0.0050 through seeds and 0.0020 through rows (beyond relu).
    """

    metric: str
    selection: float
    fresh: float
    test: float
    by_seeds: float
    by_rows: float
    reference: str

    @property
    def total(self) -> float:
        """Optimism through seeds and rows."""
        return self.by_seeds + self.by_rows

    def sentence(self) -> str:
        """Return it in words."""
        return (
            f"The winner was chosen with a mean validation {self.metric} of {self.selection:.4f}; fresh seeds gave "
            f"{self.fresh:.4f} on the same rows and {self.test:.4f} on the test rows, so the choice flattered it by "
            f"{self.by_seeds:.4f} through seeds and {self.by_rows:.4f} through rows (beyond {self.reference})."
        )


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        name: Name of the search.
        question: What it was to answer.
        metric: Name of the metric.
        higher_is_better: Whether larger values of it are.
        rope: Half width of the region of practical equivalence.
        engine: Name of the engine.
        stages: The funnel, in order.
        candidates: All that were proposed, in the order of the engine, with their scores by stage.
        finalists: Best mean validation score first.
        controls: Known activations in the order of the settings, then random formulas.
        winner: The first finalist.
        tested: The winner first, then the known controls.
        inflation: How much the choice flattered the winner.
        settings: Plain data of the settings.
        data: Name of the data module, its fingerprint, and the numbers of training, validation and test rows.
        versions: Of the software.

    Example:
        >>> from axonlight.discovery import Search, SearchSettings
        >>> print(Search.__doc__.splitlines()[0])
        Search for an activation, from proposed formulas to one score on rows that nobody has seen.
    """

    name: str
    question: str
    metric: str
    higher_is_better: bool
    rope: float
    engine: str
    stages: tuple[StageOutcome, ...]
    candidates: tuple[SearchedCandidate, ...]
    finalists: tuple[Contender, ...]
    controls: tuple[Contender, ...]
    tested: tuple[FinalActivation, ...]
    inflation: SelectionInflation
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def winner(self) -> Contender:
        """The finalist with the best mean validation score."""
        return self.finalists[0]

    @property
    def front(self) -> tuple[Contender, ...]:
        """The finalists that no other one beats in score, nodes, cost and smoothness at once."""
        return tuple(one for one in self.finalists if one.on_front)

    @property
    def comparison(self) -> Comparison:
        """The winner against the reference, which is the first known control, on the test rows."""
        found = self.tested[1].against
        assert found is not None  # noqa: S101  (only the winner, which is first, has none)
        return found

    @property
    def seconds(self) -> float:
        """Wall-clock time of all stages."""
        return sum(stage.seconds for stage in self.stages)

    def frame(self) -> "pd.DataFrame":
        """Return one row per candidate: formula, nodes, engine, reached, failure, and a column per score."""
        import pandas as pd

        rows = [
            {
                "formula": found.candidate.formula,
                "nodes": found.candidate.nodes,
                "engine": found.candidate.engine,
                "reached": found.reached,
                "failure": found.failure,
                **found.candidate.scores,
            }
            for found in self.candidates
        ]
        return pd.DataFrame(rows)
