"""The tables of the report, as texts."""

from collections import Counter
from collections.abc import Mapping

from ...comparison.report.blocks import Table
from ...comparison.report.wording import metric_label, p_value
from ...comparison.study.progress import spoken_time
from ..result import Contender, SearchResult
from .wording import compact, identity, kind_of, label, nodes_of, scored, signed, stage_name

__all__ = ["contender_table", "failure_table", "reason_table", "stage_table", "test_table"]

# Scores of candidates that say what the front is about, by the last part of their name.
_PROPERTIES = {"cost": "cost", "roughness": "roughness", "slope": "mean square slope", "growth": "growth"}


def contender_table(result: SearchResult) -> Table:
    """Return finalists, then controls: validation score, size, what the front is about, what they are known as."""
    contenders = [*result.finalists, *result.controls]
    columns = {head: key for key, head in _property_keys(contenders).items()}
    head = ("activation", "kind", f"validation {label(result)}", "nodes", *columns, "front", "known as")
    rows = [
        (
            one.name,
            kind_of(one),
            scored(one.estimate),
            nodes_of(one),
            *(compact(one.candidate.scores.get(key)) if one.candidate else "" for key in columns.values()),
            "yes" if one.on_front else "",
            identity(one),
        )
        for one in contenders
    ]
    return Table(head, tuple(rows), wide=True)


def test_table(result: SearchResult) -> Table:
    """Return winner and known activations with fresh seeds, on validation and on test rows."""
    head = (
        "activation", f"test {label(result)}", f"validation {label(result)}", "winner's difference on test rows",
        "winner is", "p", "p equivalent",
    )  # fmt: skip
    rows = []
    for one in result.tested:
        found = one.against
        against = ("", "", "", "") if found is None else (
            signed(found.estimate), found.verdict, p_value(found.p_value), p_value(found.p_equivalence),
        )  # fmt: skip
        rows.append((one.name, scored(one.test), scored(one.validation), *against))
    return Table(head, tuple(rows), wide=True)


def stage_table(result: SearchResult) -> Table:
    """Return the funnel: what entered each stage, what became of it, and how long that took."""
    head = ("stage", "entered", "failed", "equal or left", "kept", "decided by", "agreement with the next", "time")
    rows = [
        (
            stage_name(stage.name),
            f"{stage.entered:,}",
            f"{stage.failed:,}",
            f"{stage.left_behind:,}",
            f"{stage.kept:,}",
            metric_label((stage.score or "").rpartition("/")[2]),
            compact(stage.agreement),
            spoken_time(stage.seconds),
        )
        for stage in result.stages
    ]
    return Table(head, tuple(rows), wide=True)


def reason_table(result: SearchResult) -> Table:
    """Return why candidates failed, by stage, the commonest reasons first."""
    rows = [
        (stage_name(stage.name), reason, f"{count:,}")
        for stage in result.stages
        for reason, count in list(stage.reasons.items())[:5]
    ]
    return Table(("stage", "reason", "candidates"), tuple(rows))


def failure_table(result: SearchResult) -> Table:
    """Return failed runs of finalists and controls, with the first reason."""
    rows = []
    for when, ones in (("seeds", [*result.finalists, *result.controls]), ("fresh seeds", result.tested)):
        for one in ones:
            rows += [(one.name, when, reason, f"{count:,}") for reason, count in Counter(one.failures).items()]
    return Table(("activation", "seeds", "reason", "runs"), tuple(rows))


def _property_keys(contenders: list[Contender]) -> Mapping[str, str]:
    """Return keys of candidates' scores that tell a property, with the head of their column."""
    found: dict[str, str] = {}
    for one in contenders:
        for key in one.candidate.scores if one.candidate else ():
            name = key.rpartition("/")[2]
            if name in _PROPERTIES and _PROPERTIES[name] not in found.values():
                found[key] = _PROPERTIES[name]
    return found
