"""The first screen: question, verdicts, floors."""

import math

from ..analysis.contrasts import spoken
from ..analysis.directions import sign_of
from ..analysis.tables import NamedComparison, ReportData
from .blocks import VERDICTS, Answer, Table, VerdictLine
from .wording import claim_line, counted, estimate, figures_of, metric_label, number

__all__ = ["answer_of"]


def answer_of(data: ReportData) -> Answer:
    """Return what a reader must see first."""
    verdicts = tuple(
        VerdictLine(found.name, found.comparison.verdict, figures_of(found, data), _rule(found))
        for found in data.decisive
    )
    return Answer(
        name=data.name,
        question=data.question or f"Study {data.name}",
        summary=_summary(data),
        glance=_glance(data),
        scale=_scale(data),
        warnings=tuple(_warnings(data)),
        verdicts=verdicts,
        scores=_scores(data),
        floors=tuple(_floors(data)),
        claims=tuple(claim_line(claim) for claim in data.claims),
    )


def _summary(data: ReportData) -> str:
    words = [found.comparison.verdict for found in data.decisive]
    counts = [f"{words.count(word)} {word}" for word in VERDICTS if word in words]
    if not words:
        return "No comparison was planned; the scores of all arms stand beneath."
    return f"{counted(len(words), 'comparison')} on {metric_label(data.metrics[0])}: {', '.join(counts)}."


def _scale(data: ReportData) -> str:
    folds = f"{data.folds} folds" + (f" x {data.repeats} repeats" if data.repeats > 1 else "")
    distinct = data.runs["key"].nunique()
    return f"{counted(data.splits, 'split')} ({folds}), {counted(data.seeds, 'seed')} per split, {distinct:,} runs"


def _rule(found: NamedComparison) -> str:
    """Return the rule without the verdict, which stands above it."""
    rule = found.comparison.rule
    _, colon, rest = rule.partition(": ")
    return f"{rest[:1].upper()}{rest[1:]}" if colon else rule


def _glance(data: ReportData) -> str:
    metric = data.metrics[0]
    said = {arm.name: f"{spoken(arm.name)} {number(arm.estimates[metric].mean)}" for arm in data.arms}
    references = ", ".join(said[name] for name in data.references)
    floors = ", ".join(said[arm.name] for arm in data.arms if arm.is_floor)
    return f"{metric_label(metric)}: {references}" + (f"; floors: {floors}." if floors else ".")


def _warnings(data: ReportData) -> list[str]:
    failed, waiting = sum(arm.failed for arm in data.arms), sum(arm.waiting for arm in data.arms)
    undefined = sum(arm.undefined[data.metrics[0]] for arm in data.arms)
    planned = len(data.runs)
    found = []
    if waiting:
        found.append(f"Not finished: {waiting:,} of {planned:,} planned runs are still to come.")
    if failed:
        found.append(f"{failed:,} of {planned:,} planned runs failed; they count in no score and are listed below.")
    if undefined:
        found.append(f"{metric_label(data.metrics[0])} is undefined in {counted(undefined, 'run')}.")
    return found


def _scores(data: ReportData) -> Table:
    """Return the scores of references and floors, with the verdict on each floor where there is one reference."""
    metric, references = data.metrics[0], set(data.references)
    beside = {pair[1]: found for found in data.floors if found.metric == metric and (pair := found.contrast.pair)}
    single = len(references) == 1
    rows = []
    for arm in data.arms:
        if arm.name in references or arm.is_floor:
            score = estimate(arm.estimates[metric])
            verdict = beside[arm.name].comparison.verdict if single and arm.name in beside else ""
            rows.append((spoken(arm.name), score, verdict))
    against = f"{spoken(data.references[0])} is" if single else ""
    head = ("arm", metric_label(metric), against)
    return Table(head, tuple(rows)) if single else Table(head[:2], tuple(row[:2] for row in rows))


def _floors(data: ReportData) -> list[str]:
    """Say how the references do against the floor with the best score."""
    metric = data.metrics[0]
    floors = [arm for arm in data.arms if arm.is_floor and not math.isnan(arm.estimates[metric].mean)]
    if not floors:
        return []
    best = max(floors, key=lambda arm: sign_of(metric) * arm.estimates[metric].mean)
    against = [one for one in data.floors if one.metric == metric and _second(one) == best.name]
    found = [f"The best floor is {spoken(best.name)}."]
    found += [f"{spoken(_first(one))} against it: {one.comparison.verdict}; {_brief(one)}." for one in against]
    return found if len(against) > 1 else [" ".join(found)]


def _brief(one: NamedComparison) -> str:
    return f"{metric_label(one.metric)} difference {estimate(one.comparison.estimate, signed=True)}"


def _first(one: NamedComparison) -> str:
    return one.contrast.pair[0] if one.contrast.pair else ""


def _second(one: NamedComparison) -> str:
    return one.contrast.pair[1] if one.contrast.pair else ""
