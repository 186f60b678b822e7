"""The tables of the headline attempt: every light network against the heavy one."""

import datetime as dt
import platform
from collections.abc import Mapping, Sequence

import pandas as pd
from _marked_tables import table
from axonlight import __version__
from axonlight.comparison import Comparison, adjust, compare_scores, estimate_mean
from axonlight.discovery.novelty import known_as

__all__ = ["ROPE", "TEST_FRACTION", "report", "verdicts"]

# Decided before anything was trained: differences in AUC, and in accuracy, that do not matter.
ROPE, TEST_FRACTION = 0.01, 0.2
METRICS = ("auroc", "accuracy")


def report(rows: pd.DataFrame, formulas: Mapping[int, Mapping[str, str]], arms: Sequence[str], command: str) -> str:
    """Return the block of one budget.

    Args:
        rows: One per network and seed.
        formulas: By split and search, what it found.
        arms: Names of the networks, the heavy one first.
        command: What measured them.
    """
    seeds = sorted(formulas)
    rows = rows[rows["seed"].isin(seeds)]
    versions = f"axonlight {__version__}, torch {rows['torch'].iloc[0]}, Python {platform.python_version()}"
    parts = [
        f"```\n{command}\n```",
        f"{dt.date.today()}, {versions}, {platform.system()} {platform.machine()} CPU, one thread; "
        f"{len(seeds)} splits with a seed of their own ({_listed(seeds)}), {rows['epochs'].iloc[0]} epochs. "
        f"Difference: the network minus the heavy one, paired by split, with the interval corrected for overlapping "
        f"training rows; verdicts at a region of equivalence of ±{ROPE}, adjusted (Holm) over the networks.",
        _scores(rows, seeds, arms),
        _formulas(formulas),
    ]
    return "\n\n".join(parts)


def _listed(seeds: Sequence[int]) -> str:
    consecutive = list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]}-{seeds[-1]}" if consecutive and len(seeds) > 1 else ", ".join(map(str, seeds))


def verdicts(rows: pd.DataFrame, seeds: Sequence[int], arms: Sequence[str], metric: str) -> dict[str, Comparison]:
    """Return every network against the first one, adjusted as one family."""
    scores = {arm: rows[rows["arm"] == arm].set_index("seed")[metric].reindex(seeds).to_numpy() for arm in arms}
    first, *others = arms
    alone = [compare_scores(scores[arm], scores[first], test_fraction=TEST_FRACTION, rope=ROPE) for arm in others]
    return dict(zip(others, adjust(alone, "holm"), strict=True))


def _scores(rows: pd.DataFrame, seeds: Sequence[int], arms: Sequence[str]) -> str:
    judged = {metric: verdicts(rows, seeds, arms, metric) for metric in METRICS}
    lines = []
    for arm in dict.fromkeys([*arms, *rows["arm"]]):
        own = rows[rows["arm"] == arm]
        cells = []
        for metric in METRICS:
            estimate = estimate_mean(own.set_index("seed")[metric].reindex(seeds).to_numpy(), TEST_FRACTION)
            found = judged[metric].get(arm)
            cells += [f"{estimate.mean:.4f}", "" if found is None else _difference(found)]
        lines.append([arm, f"{int(own['parameters'].iloc[0]):,}" if own["parameters"].iloc[0] else "", *cells])
    head = ["network", "parameters", "AUC", "minus heavy", "accuracy", "minus heavy"]
    return table(head, lines)


def _difference(found: Comparison) -> str:
    low, high = found.interval
    return f"{found.difference:+.4f} [{low:+.4f}, {high:+.4f}] {found.verdict}"


def _formulas(formulas: Mapping[int, Mapping[str, str]]) -> str:
    seeds: dict[tuple[str, str], list[int]] = {}
    for seed, found in formulas.items():
        for kind, formula in found.items():
            seeds.setdefault((kind, formula), []).append(seed)
    rows = [
        [kind, f"`{formula}`", known_as(formula) or "", ", ".join(map(str, own))]
        for (kind, formula), own in sorted(seeds.items(), key=lambda item: item[0][0] == "full")
    ]
    head = ["search", "formula", "known as", "on the training rows of seeds"]
    return "What the searches found:\n\n" + table(head, rows)
