"""Claims judged: by the verdicts of the comparisons that were named before the study ran."""

from collections.abc import Sequence

from ..design.claims import Claim
from .tables import ClaimResult, NamedComparison

__all__ = ["judge_claims"]

# What is said of the verdict of the first comparison, where it does not speak for the claim.
_REFUTED = {
    "necessity": {
        "equivalent": "refuted: performance is equivalent without it",
        "worse": "refuted: performance is better without it",
        "inconclusive": "not decided: whether performance falls remains open",
    },
    "sufficiency": {
        "better": "refuted: alone it performs worse than the reference",
        "inconclusive": "not decided: whether performance stays remains open",
    },
    "compensation": {
        "equivalent": "there is nothing to compensate: performance is equivalent under acute stimulation",
        "worse": "there is nothing to compensate: performance is better under acute stimulation",
        "inconclusive": "not decided: whether there is anything to compensate remains open",
    },
}
_COMPENSATED = {
    "better": "shown",
    "equivalent": "refuted: training under stimulation regains nothing",
    "worse": "refuted: training under stimulation makes it worse",
    "inconclusive": "not decided: whether training under stimulation regains anything remains open",
}
_COMPLETE = {
    "better": "in part, as performance is still below the reference",
    "equivalent": "completely, as performance is equivalent to the reference",
    "worse": "completely, as performance is better than the reference",
    "inconclusive": "whether completely remains open",
}
_NO_CONTROL = "; nothing tells it from other units, as no control of random units exists"


def judge_claims(
    claims: Sequence[Claim], comparisons: Sequence[NamedComparison], metric: str
) -> tuple[ClaimResult, ...]:
    """Return what the comparisons say about the claims.

    A claim is shown where the comparisons that it rests on have verdicts that speak for it. Each of them keeps its own
    level, so that the chance of a false claim is at most the level of one: the intersection-union test of Berger,
    "Multiparameter hypothesis testing and acceptance sampling" (Technometrics 24, 1982).

    Args:
        claims: Those of the study.
        comparisons: The planned comparisons.
        metric: The metric that decides, where a part names no other.
    """
    known = {(one.contrast.pair, one.metric): one for one in comparisons}
    found = []
    for claim in claims:
        parts = tuple(known[(part.first, part.second), part.metric or metric] for part in claim.parts)
        found.append(ClaimResult(claim.kind, claim.subject, _outcome(claim, parts), parts))
    return tuple(found)


def _outcome(claim: Claim, found: Sequence[NamedComparison]) -> str:
    words = [one.comparison.verdict for one in found]
    speaks = [word in part.expected for word, part in zip(words, claim.parts, strict=True)]
    if claim.kind == "double_dissociation":
        return _dissociation(speaks)
    if not speaks[0]:
        return _REFUTED[claim.kind][words[0]]
    if claim.kind == "compensation":
        return f"{_COMPENSATED[words[1]]}{f', {_COMPLETE[words[2]]}' * speaks[1]}"
    control = next((place for place, part in enumerate(claim.parts) if part.is_control), None)
    if control is None:
        return f"shown{_NO_CONTROL}"
    return f"shown{_specificity(claim.kind, words[control], speaks[control])}"


def _specificity(kind: str, word: str, speaks: bool) -> str:
    if speaks:
        more = "performance falls further" if kind == "necessity" else "performance stays higher"
        return f", and {more} than for as many random units"
    if word == "inconclusive":
        return " of these units, but no difference from as many random units is shown"
    same = "do the same" if word == "equivalent" else "do more harm" if kind == "necessity" else "do better"
    return f" of these units, but nothing special about them: as many random units {same}"


def _dissociation(speaks: Sequence[bool]) -> str:
    if all(speaks):
        return "shown: each does more harm than the other where it was expected to"
    if any(speaks):
        return "not shown: a single dissociation; the other comparison does not speak for it"
    return "not shown: neither comparison speaks for it"
