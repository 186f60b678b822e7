"""Claims judged: by the verdicts of the comparisons that were named before the study ran."""

from collections.abc import Sequence

from ..design.claims import Claim, Part
from .tables import ClaimResult, NamedComparison

__all__ = ["judge_claims"]

# What is said of the verdict of the comparison with the reference, where it does not speak for the claim.
_REFUTED = {
    "necessity": {
        "equivalent": "refuted: the score is equivalent without it",
        "worse": "refuted: the score is better without it",
        "inconclusive": "not decided: whether the score falls remains open",
    },
    "sufficiency": {
        "better": "refuted: alone it scores worse than the reference",
        "inconclusive": "not decided: whether the score stays remains open",
    },
}
_NO_CONTROL = "; nothing tells it from other units, as no control of random units exists"


def judge_claims(
    claims: Sequence[Claim], comparisons: Sequence[NamedComparison], metric: str
) -> tuple[ClaimResult, ...]:
    """Return what the comparisons say about the claims.

    A claim is shown where every one of its comparisons has a verdict that speaks for it. Each of them keeps its own
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
    control = next((place for place, part in enumerate(claim.parts) if part.is_control), None)
    if control is None:
        return f"shown{_NO_CONTROL}"
    if speaks[control]:
        return f"shown, and {_more(claim.parts[control])} than for as many random units"
    reason = (
        "the effect of as many random units is equivalent"
        if words[control] == "equivalent"
        else ("it is not shown to differ from as many random units")
    )
    return f"shown of these units, but nothing special about them: {reason}"


def _more(control: Part) -> str:
    return "the score falls further" if control.expected == ("better",) else "the score stays higher"


def _dissociation(speaks: Sequence[bool]) -> str:
    if all(speaks):
        return "shown: each does more harm than the other where it was expected to"
    if any(speaks):
        return "not shown: a single dissociation; the other comparison does not speak for it"
    return "not shown: neither comparison speaks for it"
