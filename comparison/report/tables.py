"""The tables of a report, as texts."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..analysis.contrasts import spoken
from ..analysis.tables import ArmSummary, NamedComparison, NullQuality, ReportData
from ..statistics import Variance, VarianceComponents
from .blocks import Table
from .wording import estimate, metric_label, null_name, number, p_value

__all__ = [
    "arm_table",
    "comparison_table",
    "component_table",
    "dose_table",
    "failure_table",
    "plain_table",
    "quality_table",
    "stimulation_table",
]


def arm_table(data: ReportData) -> Table:
    """Return scores, size and runs of every arm."""
    labels = tuple(metric_label(metric) for metric in data.metrics)
    head = ("arm", *labels, "kind", "parameters", "draws", "runs", "failed", "minutes")
    return Table(head, tuple(_arm_row(arm, data.metrics) for arm in data.arms))


def _arm_row(arm: ArmSummary, metrics: Sequence[str]) -> tuple[str, ...]:
    kind = "floor" if arm.is_floor else null_name(arm.null) if arm.null else arm.kind
    planned = arm.done + arm.failed + arm.waiting
    return (
        spoken(arm.name),
        *(estimate(arm.estimates[metric]) for metric in metrics),
        kind,
        f"{arm.parameters:,}" if arm.parameters else "",
        f"{arm.draws:,}" if arm.draws else "",
        f"{arm.done:,}" if arm.done == planned else f"{arm.done:,} of {planned:,}",
        f"{arm.failed:,}" if arm.failed else "",
        f"{arm.seconds / 60:,.1f}",
    )


def comparison_table(comparisons: Sequence[NamedComparison]) -> Table:
    """Return every comparison with all its p values."""
    head = (
        "comparison",
        "metric",
        "verdict",
        "difference",
        "p",
        "p equivalent",
        "p alone",
        "p equivalent alone",
        "Wilcoxon",
        "permutation",
        "uncorrected t",
        "empirical p",
        "z",
        "P(worse / equal / better)",
        "effect size",
        "splits",
    )
    return Table(head, tuple(map(_comparison_row, comparisons)), wide=True)


def _comparison_row(one: NamedComparison) -> tuple[str, ...]:
    found, test = one.comparison, one.empirical
    chances = found.probabilities
    return (
        one.name,
        metric_label(one.metric),
        found.verdict,
        estimate(found.estimate, signed=True),
        p_value(found.p_value),
        p_value(found.p_equivalence),
        p_value(found.p_corrected),
        p_value(found.p_equivalence_alone),
        p_value(found.p_wilcoxon),
        p_value(found.p_permutation),
        p_value(found.p_uncorrected),
        "" if test is None else f"{p_value(test.p)} ({test.count:,})",
        "" if test is None else _short(test.z),
        " / ".join("-" if math.isnan(chance) else f"{chance:.2f}" for chance in chances),
        _short(found.effect_size),
        f"{found.count:,}",
    )


def component_table(components: Mapping[str, VarianceComponents]) -> Table:
    """Return standard deviations between splits, seeds and draws, and their shares of the variance."""
    rows = []
    for arm, found in components.items():
        parts = {"split": found.split, "seed": found.seed, "draw": found.draw, "residual": found.residual}
        cells = [_component(parts[name], found.shares[name]) for name in parts]
        rows.append((spoken(arm), *cells, f"{found.splits} / {found.seeds} / {found.draws}"))
    head = ("arm", "between splits", "between seeds", "between draws", "rest", "splits / seeds / draws")
    return Table(head, tuple(rows))


def _component(part: Variance, share: float) -> str:
    if math.isnan(part.estimate):
        return "-"
    return f"{math.sqrt(part.estimate):.4f}" + ("" if math.isnan(share) else f" ({100 * share:.0f} %)")


def dose_table(data: ReportData) -> Table:
    """Return the slope of every metric."""
    rows = [
        (
            spoken(dose.reference),
            metric_label(dose.metric),
            ", ".join(f"{fraction:g}" for fraction in dose.fractions),
            estimate(dose.slope, signed=True),
        )
        for dose in data.doses
    ]
    return Table(("reference", "metric", "shares rewired", "slope, none to all"), tuple(rows))


def quality_table(nulls: Sequence[NullQuality]) -> Table:
    """Return what every null model keeps, breaks and leaves."""
    measures = list(dict.fromkeys(str(name) for null in nulls for name in null.draws))
    head = ("null model", *(_measure(name) for name in measures), "draws", "keeps")
    rows = []
    real = next((null.real for null in nulls if null.real), {})
    if real:
        rows.append(("real", *(_short(real.get(name, math.nan)) for name in measures), "", "everything"))
    for null in nulls:
        means = [_short(float(np.mean(null.draws[name])) if name in null.draws else math.nan) for name in measures]
        kept = ", ".join(name.replace("_", " ") for name in null.keeps)
        rows.append((null.name, *means, f"{len(null.draws):,}" if len(null.draws) else "", kept))
    return Table(head, tuple(rows))


def stimulation_table(data: ReportData) -> Table:
    """Return what light did in every stimulated arm."""
    rows = tuple(
        (
            spoken(one.arm),
            one.opsin,
            one.site,
            f"{one.units:,}",
            one.phase,
            one.steps,
            f"{one.batches:,.0f}",
            f"{one.dose:,.4g}",
        )
        for one in data.stimulation
    )
    return Table(("arm", "opsin", "site", "units", "phase", "steps", "lit batches", "dose"), rows)


def failure_table(data: ReportData) -> Table:
    """Return failed runs by arm and message."""
    rows = tuple((spoken(group.arm), group.error, f"{group.runs:,}", group.first) for group in data.failures)
    return Table(("arm", "error", "runs", "first at"), rows)


def plain_table(head: tuple[str, str], rows: Mapping[str, str]) -> Table:
    """Return labels and texts."""
    return Table(head, tuple(rows.items()), plain=True)


def _measure(name: str) -> str:
    return "paths, log10" if name == "paths" else name.replace("_", " ")


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}" if math.isfinite(value) else number(value)
