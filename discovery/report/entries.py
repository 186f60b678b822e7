"""The finalists as entries of a library."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..library import ActivationLibrary
from ..result import Contender, SearchResult

__all__ = ["library_of"]


def library_of(result: SearchResult) -> ActivationLibrary:
    """Return the library of the finalists: the winner by the name of the search, the others numbered after it.

    Example:
        >>> from types import SimpleNamespace
        >>> from axonlight.comparison import estimate_mean
        >>> from axonlight.discovery import Candidate, Contender, FinalActivation
        >>> scores, found = (0.81, 0.83), Candidate.from_text("sin(x)", engine="enumerate")
        >>> mean = estimate_mean(scores, 0.2)
        >>> one = Contender("sin(x)", "finalist", "formula(sin(x))", scores, mean, found)
        >>> final = FinalActivation("sin(x)", "formula(sin(x))", scores, scores, mean, mean)
        >>> search = SimpleNamespace(name="waves", finalists=(one,), tested=(final,), metric="auroc", data={})
        >>> library_of(search)
        ActivationLibrary(waves)
    """
    library = ActivationLibrary()
    for place, one in enumerate(result.finalists, start=1):
        if one.candidate is not None:
            known = (one.known_as or "").removeprefix("this is ") or None
            library.add(
                result.name if place == 1 else f"{result.name}_{place}",
                replace(one.candidate, scores=_scores(one, result, place)),
                data=result.data.get("name"),
                metric=result.metric,
                rank=place,
                known_as=known,
                data_hash=one.candidate.data_hash or result.data.get("fingerprint"),
            )
    return library


def _scores(one: Contender, result: SearchResult, place: int) -> Mapping[str, Any]:
    """Return the score that chose it and, for the winner, those that nobody chose by."""
    found = {"selection": one.estimate.mean}
    if place == 1:
        tested = result.tested[0]
        found |= {"fresh_validation": tested.validation.mean, "test": tested.test.mean}
    return found
