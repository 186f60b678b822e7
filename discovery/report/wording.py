"""Stages, activations and scores as a reader sees them."""

import math
from collections.abc import Sequence

from ...comparison.report.wording import estimate, metric_label, number
from ...comparison.statistics import Estimate
from ..result import Contender, SearchResult

__all__ = ["DIGITS", "compact", "identity", "label", "nodes_of", "scored", "signed", "stage_name"]

# Differences between activations are often a few thousandths.
DIGITS = 4
_STAGES = {"propose": "proposed", "gate": "gate", "proxies": "before training", "few_steps": "few steps"}
_KINDS = {"finalist": "finalist", "known": "known", "random": "random"}


def label(result: SearchResult) -> str:
    """Return the metric as the field writes it."""
    return metric_label(result.metric)


def stage_name(name: str) -> str:
    """Return the name of a stage.

    Example:
        >>> stage_name("few_steps"), stage_name("halving 2 epochs")
        ('few steps', 'halving 2 epochs')
    """
    return _STAGES.get(name, name.replace("_", " "))


def scored(found: Estimate) -> str:
    """Return a mean score with its interval.

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> scored(estimate_mean([0.81, 0.82, 0.83], 0.2))
        '0.8200 [0.7871, 0.8529]'
    """
    return estimate(found, digits=DIGITS)


def signed(found: Estimate) -> str:
    """Return a mean difference with its interval."""
    return estimate(found, signed=True, digits=DIGITS)


def compact(value: float | None) -> str:
    """Return a number with two decimals; a dash for none.

    Example:
        >>> compact(0.0012345), compact(float("nan")), compact(None), compact(1234.5)
        ('0.00', '-', '-', '1,234')
    """
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def identity(one: Contender) -> str:
    """Return what a formula is known as; a dash for one that is new, nothing for what is no formula.

    Example:
        >>> from axonlight.comparison import estimate_mean
        >>> scores = (0.8, 0.9)
        >>> identity(Contender("relu", "known", "relu", scores, estimate_mean(scores, 0.2)))
        ''
    """
    if one.candidate is None:
        return ""
    return (one.known_as or "-").removeprefix("this is ")


def nodes_of(one: Contender) -> str:
    """Return the number of nodes of a formula; nothing for what is none."""
    return str(one.candidate.nodes) if one.candidate else ""


def kind_of(one: Contender) -> str:
    """Return what a contender is."""
    return _KINDS.get(one.kind, one.kind)


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a"])
        ('a, b and c', 'a')
    """
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def plain_number(value: float) -> str:
    """Return a score with the digits of the report."""
    return number(value, digits=DIGITS)
