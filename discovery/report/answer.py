"""The first screen: the winner, its formula, and what it gains over the reference on rows that nobody had seen."""

import math
from dataclasses import replace

from ...activations.formula import parse_formula, to_latex, to_mathml
from ...comparison.report.blocks import Answer, Equation, Table, VerdictLine
from ...comparison.report.wording import counted, number
from ...comparison.statistics import Comparison
from ...comparison.study.progress import spoken_time
from ..result import FinalActivation, SearchResult
from .drawings import front_drawings
from .wording import DIGITS, label, plain_number, scored, signed

__all__ = ["answer_of", "inflation_sentence", "random_sentence"]


def answer_of(result: SearchResult) -> Answer:
    """Return what a reader must see first."""
    return Answer(
        name=result.name,
        question=result.question or f"Which activation suits {result.name} best?",
        summary=_summary(result),
        glance=_glance(result),
        scale=_scale(result),
        warnings=tuple(_warnings(result)),
        verdicts=tuple(_verdicts(result)),
        scores=_scores(result),
        floors=(*_best_other(result), inflation_sentence(result), *random_sentence(result)),
        equation=_equation(result),
        drawings=front_drawings(result)[:1],
    )


def inflation_sentence(result: SearchResult) -> str:
    """Say how much the choice flattered the winner, the metric as the field writes it."""
    return replace(result.inflation, metric=label(result)).sentence()


def random_sentence(result: SearchResult) -> list[str]:
    """Say how the winner stands among random formulas, on the rows that chose it."""
    drawn = [one.estimate.mean for one in result.controls if one.kind == "random"]
    drawn = [mean for mean in drawn if not math.isnan(mean)]
    if not drawn:
        return []
    sign = 1 if result.higher_is_better else -1
    better = sum(sign * mean > sign * result.winner.estimate.mean for mean in drawn)
    best = max(drawn, key=lambda mean: sign * mean)
    return [
        f"Of {counted(len(drawn), 'random formula')}, trained as the finalists were, {better or 'none'} "
        f"{'has' if better < 2 else 'have'} a better validation {label(result)}; the best has {plain_number(best)}."
    ]


def _summary(result: SearchResult) -> str:
    winner = result.winner
    size = counted(winner.candidate.nodes, "node") if winner.candidate else ""
    known = (winner.known_as or "a new one, none of this package or of torch.nn scaled or shifted").removeprefix(
        "this is "
    )
    return f"The winner is {winner.name} ({size}): {known}."


def _equation(result: SearchResult) -> Equation | None:
    candidate = result.winner.candidate
    if candidate is None:
        return None
    tree = parse_formula(candidate.formula, collapse=True)
    return Equation(to_mathml(tree, function="f"), to_latex(tree))


def _glance(result: SearchResult) -> str:
    said = [f"{one.name} {plain_number(one.test.mean)}" for one in result.tested[1:]]
    return f"{label(result)} on test rows: winner {plain_number(result.tested[0].test.mean)}; {', '.join(said)}."


def _scale(result: SearchResult) -> str:
    proposed = result.stages[0].kept if result.stages else len(result.candidates)
    seeds = len(result.winner.scores)
    return (
        f"{counted(proposed, 'formula')} from {result.engine}, {counted(len(result.finalists), 'finalist')}, "
        f"{counted(seeds, 'seed')} each, {spoken_time(result.seconds)}"
    )


def _warnings(result: SearchResult) -> list[str]:
    found, inflation = [], result.inflation
    difference = result.comparison.difference
    if inflation.total > abs(difference) > 0:
        found.append(
            f"The choice among candidates flattered the winner by {number(inflation.total, digits=DIGITS)}, more than "
            f"the {number(abs(difference), digits=DIGITS)} by which it differs from {inflation.reference} on test rows."
        )
    contenders = [*result.finalists, *result.controls, *result.tested]
    failed = sum(len(one.failures) for one in contenders)
    if failed:
        found.append(f"{counted(failed, 'run')} of finalists and controls failed; the reasons stand below.")
    return found


def _verdicts(result: SearchResult) -> list[VerdictLine]:
    """Return the winner against the reference, which decides."""
    return [_line(one, one.against, result) for one in result.tested[1:2] if one.against is not None]


def _best_other(result: SearchResult) -> list[str]:
    """Say how the winner stands against the best known activation that is not the reference."""
    sign = 1 if result.higher_is_better else -1
    others = [one for one in result.tested[2:] if one.against is not None and not math.isnan(one.test.mean)]
    if not others:
        return []
    best = max(others, key=lambda one: sign * one.test.mean)
    found = best.against
    assert found is not None  # noqa: S101  (those without were left out)
    return [f"Of the other known ones {best.name} is best; the winner is {found.verdict}, {signed(found.estimate)}."]


def _line(rival: FinalActivation, found: Comparison, result: SearchResult) -> VerdictLine:
    figures = (
        f"{label(result)} difference on test rows {signed(found.estimate)}, region of practical equivalence "
        f"±{found.rope:g}; {counted(found.count, 'fresh seed')}"
    )
    _, colon, rest = found.rule.partition(": ")
    rule = f"{rest[:1].upper()}{rest[1:]}" if colon else found.rule
    return VerdictLine(f"winner against {rival.name}", found.verdict, figures, rule)


def _scores(result: SearchResult) -> Table:
    head = ("activation", f"test {label(result)}")
    names = ["winner", *(one.name for one in result.tested[1:])]
    return Table(head, tuple((name, scored(one.test)) for name, one in zip(names, result.tested, strict=True)))
