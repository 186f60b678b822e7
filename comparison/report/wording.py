"""Numbers, names and verdicts as a reader sees them."""

import math
from collections.abc import Mapping
from typing import Any

from ..analysis.contrasts import spoken
from ..analysis.tables import ClaimResult, NamedComparison, ReportData
from ..statistics import Estimate

__all__ = [
    "claim_line",
    "claim_sentences",
    "counted",
    "estimate",
    "figures_of",
    "metric_label",
    "null_name",
    "number",
    "p_value",
]

_LABELS = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "c_index": "C-index",
    "calibration_error": "calibration error",
    "f1": "F1",
    "loss": "loss",
    "mae": "MAE",
    "mse": "MSE",
    "r2": "R²",
    "rmse": "RMSE",
    "uno_c_index": "Uno's C-index",
}


def metric_label(metric: str) -> str:
    """Return the name of a metric as the field writes it.

    Example:
        >>> metric_label("auroc"), metric_label("median_error")
        ('AUROC', 'median error')
    """
    return _LABELS.get(metric, metric.replace("_", " "))


def number(value: float, signed: bool = False, digits: int = 3) -> str:
    """Return a number with so many decimals, fewer where it is large; "undefined" for NaN.

    Example:
        >>> number(0.12345), number(0.5, signed=True), number(-1e-5), number(1234.5), number(float("nan"))
        ('0.123', '+0.500', '0.000', '1,234', 'undefined')
    """
    if math.isnan(value):
        return "undefined"
    decimals = digits if abs(value) < 100 else 1 if abs(value) < 1000 else 0
    text = f"{value:{'+' if signed else ''},.{decimals}f}"
    return text if any(digit in text for digit in "123456789") else text.lstrip("+-")  # no sign where nothing is left


def estimate(found: Estimate, signed: bool = False, digits: int = 3) -> str:
    """Return a mean with its interval and, where there are any, the number of undefined splits."""
    if math.isnan(found.mean):
        return f"undefined ({counted(found.missing, 'split')})"
    interval = (
        "" if math.isnan(found.low) else f" [{number(found.low, signed, digits)}, {number(found.high, signed, digits)}]"
    )
    missing = f" ({found.missing} undefined)" if found.missing else ""
    return f"{number(found.mean, signed, digits)}{interval}{missing}"


def p_value(value: float) -> str:
    """Return a p value with three decimals; "-" where undefined.

    Example:
        >>> p_value(0.0123), p_value(1e-5), p_value(float("nan"))
        ('0.012', '<0.001', '-')
    """
    return "-" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def counted(count: int, noun: str) -> str:
    """Return a number and its noun.

    Example:
        >>> counted(1, "split"), counted(1200, "draw")
        ('1 split', '1,200 draws')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def null_name(null: Mapping[str, Any]) -> str:
    """Return the class of a null model with its arguments.

    Example:
        >>> null_name({"class_path": "axonlight.structures.Rewire", "init_args": {"fraction": 0.5}})
        'Rewire(fraction=0.5)'
    """
    name = str(null.get("class_path", "null")).rsplit(".", 1)[-1]
    arguments = ", ".join(f"{key}={value}" for key, value in (null.get("init_args") or {}).items())
    return f"{name}({arguments})" if arguments else name


def figures_of(found: NamedComparison, data: ReportData) -> str:
    """Return difference, interval, region and the numbers of splits and draws, on one line."""
    comparison = found.comparison
    parts = [f"{metric_label(found.metric)} difference {estimate(comparison.estimate, signed=True)}"]
    if comparison.rope > 0:
        parts.append(f", region of practical equivalence ±{comparison.rope:g}")
    draws = max(data.arm(arm).draws for arm in found.contrast.weights)
    parts.append(f"; {counted(comparison.count, 'split')}")
    parts.append(f", {counted(draws, 'draw')}" if draws else "")
    if found.empirical is not None and not math.isnan(found.empirical.p):
        parts.append(f"; empirical p = {p_value(found.empirical.p)}".replace("= <", "< "))
    return "".join(parts)


def claim_line(claim: ClaimResult) -> str:
    """Return a claim and what became of it."""
    kind = claim.kind.replace("_", " ")
    return f"{kind.capitalize()} of {spoken(claim.subject)}: {claim.outcome}."


def claim_sentences(claim: ClaimResult, data: ReportData) -> str:
    """Return a claim, what became of it, and every comparison that it rests on: verdict, figures, rule."""
    said = [f"{one.name}: {one.comparison.verdict}; {figures_of(one, data)}." for one in claim.parts]
    rules = [one.comparison.rule for one in claim.parts]
    return " ".join([claim_line(claim), *(text for pair in zip(said, rules, strict=True) for text in pair)])
