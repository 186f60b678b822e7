"""The candidates of a search on their way through the stages."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ..candidate import Candidate
from ..result import Contender, SearchedCandidate, StageOutcome
from .gate import kind_of_reason
from .runner import StageResult

__all__ = ["Entry", "Funnel"]


@dataclass
class Entry:
    """A candidate, how far it came, and what ended its way.

    Example:
        >>> Entry(Candidate.from_text("x*cos(x)", engine="enumerate")).reached
        'propose'
    """

    candidate: Candidate
    reached: str = "propose"
    failure: str | None = None

    def normalise(self, shift: str, scale: str) -> None:
        """Note shift and scale, which are among the scores."""
        scores = self.candidate.scores
        self.candidate = replace(self.candidate, normalization=(scores[shift], scores[scale]))


class Funnel:
    """Candidates that enter stages, get scores there, fail, or are left behind.

    Args:
        candidates: What the engine proposed.
        seconds: How long that took.

    Example:
        >>> funnel = Funnel([Candidate.from_text(text, engine="enumerate") for text in ("x", "sin(x)")], 0.0)
        >>> funnel.judge("few_steps", [StageResult({"loss": 0.7}), StageResult({"loss": 0.6})], 0.1)
        >>> funnel.keep("few_steps/loss", 1, sign=-1)
        >>> [entry.candidate.formula for entry in funnel.alive], funnel.outcomes[-1].kept
        (['sin(x)'], 1)
    """

    def __init__(self, candidates: Sequence[Candidate], seconds: float) -> None:
        self.entries = [Entry(candidate) for candidate in candidates]
        self.alive = list(self.entries)
        self._outcomes = [StageOutcome("propose", len(candidates), 0, len(candidates), seconds)]
        self._signs: dict[str, int] = {}

    def judge(self, stage: str, results: Sequence[StageResult], seconds: float) -> None:
        """Take over what a stage found out about every candidate that is alive; those that failed leave."""
        entered = len(self.alive)
        for entry, result in zip(self.alive, results, strict=True):
            entry.reached, entry.failure = stage, result.error
            if result.error is None:
                named = {f"{stage}/{name}": value for name, value in result.scores.items()}
                entry.candidate = entry.candidate.with_scores(**named)
        failed = [entry.failure for entry in self.alive if entry.failure is not None]
        self.alive = [entry for entry in self.alive if entry.failure is None]
        reasons = dict(Counter(map(kind_of_reason, failed)).most_common())
        self._outcomes.append(StageOutcome(stage, entered, len(failed), len(self.alive), seconds, None, reasons))

    def keep(self, score: str, count: int, sign: int) -> None:
        """Keep the best by a score; of equal ones the earlier, which is the shorter."""
        order = sorted(self.alive, key=lambda entry: -sign * entry.candidate.scores[score])
        self.alive = order[:count]
        self._signs[score] = sign
        self._amend(score=score)

    def drop(self, entries: Sequence[tuple[Entry, str]]) -> None:
        """Leave candidates behind, each for a reason."""
        for entry, reason in entries:
            entry.failure = reason
        self.alive = [entry for entry in self.alive if entry.failure is None]
        self._amend(score=None)

    def _amend(self, score: str | None) -> None:
        self._outcomes[-1] = replace(self._outcomes[-1], kept=len(self.alive), score=score)

    def finals(
        self, stage: str, entries: Sequence[Entry], found: Sequence[Contender], seconds: float, score: str, sign: int
    ) -> None:
        """Take over what the last stage of training found out about its entries."""
        for entry, contender in zip(entries, found, strict=True):
            entry.reached = stage
            entry.candidate = contender.candidate or entry.candidate
            entry.failure = contender.failures[0] if contender.estimate.count == 0 else None
        failed = [entry.failure for entry in entries if entry.failure is not None]
        reasons = dict(Counter(map(kind_of_reason, failed)).most_common())
        self._signs[score] = sign
        self._outcomes.append(StageOutcome(stage, len(entries), len(failed), 1, seconds, score, reasons))

    def note(self, stage: str, entered: int, seconds: float) -> None:
        """Add a stage that chooses nothing."""
        self._outcomes.append(StageOutcome(stage, entered, 0, entered, seconds))

    @property
    def outcomes(self) -> tuple[StageOutcome, ...]:
        """The stages so far, each with the agreement of its score with that of the next one."""
        scores = [outcome.score for outcome in self._outcomes]
        later = [next((name for name in scores[place + 1 :] if name), None) for place in range(len(scores))]
        return tuple(
            replace(outcome, agreement=self._agreement(outcome.score, following))
            for outcome, following in zip(self._outcomes, later, strict=True)
        )

    def _agreement(self, first: str | None, second: str | None) -> float:
        """Return the rank correlation of two scores, positive where both prefer the same candidates."""
        if first is None or second is None:
            return math.nan
        known = [entry.candidate.scores for entry in self.entries]
        pairs = np.array([(scores[first], scores[second]) for scores in known if first in scores and second in scores])
        if len(pairs) < 3 or min(np.ptp(pairs, axis=0)) == 0:
            return math.nan
        found: Any = spearmanr(pairs[:, 0], pairs[:, 1])
        return self._signs[first] * self._signs[second] * float(found.statistic)

    def searched(self) -> tuple[SearchedCandidate, ...]:
        """Return all candidates, in the order of the engine."""
        return tuple(SearchedCandidate(entry.candidate, entry.reached, entry.failure) for entry in self.entries)
