"""The tables of the transfer study: what was found, the matrix, specialists against general activations."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from _marked_tables import table
from _transfer_sets import SETS
from axonlight.comparison import Comparison
from axonlight.comparison.analysis import NamedComparison, ReportData

__all__ = ["Matrix", "tables"]

FLOOR = "ridge"
OPPOSITE = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class Matrix:
    """What was found on every set, and what every activation scored on it.

    Attributes:
        found: By set, what its search found.
        columns: By set, the analysed study.
    """

    found: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, ReportData]

    @property
    def sets(self) -> list[str]:
        """Names of the sets."""
        return list(self.columns)

    @property
    def arms(self) -> list[str]:
        """Names of the activations, those that were found first."""
        first = next(iter(self.columns.values()))
        return [arm.name for arm in first.arms if arm.kind == "network"]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Mean score, arms by sets; the floor is the last row."""
        rows = [*self.arms, FLOOR]
        means = {name: [self._mean(data, arm) for arm in rows] for name, data in self.columns.items()}
        return pd.DataFrame(means, index=pd.Index(rows))

    def _mean(self, data: ReportData, arm: str) -> float:
        return data.arm(arm).estimates[data.metrics[0]].mean

    def formula(self, arm: str) -> str:
        """Return what an arm is, as one writes it."""
        kind, _, name = arm.partition("_")
        if kind == "from":
            return str(self.found[name]["formula"])
        if kind == "random":
            return str(next(iter(self.found.values()))["random"][int(name) - 1]["formula"])
        return arm

    def against_specialist(self, name: str, arm: str) -> Comparison:
        """Return the specialist of a set against another arm."""
        return self._comparison(name, f"from_{name}", arm)

    def against_relu(self, name: str, arm: str) -> Comparison:
        """Return what was found on some set against ReLU."""
        return self._comparison(name, arm, "relu")

    def against_mean(self, name: str, what: str) -> Comparison | None:
        """Return the specialist against the mean of several arms, or None if there are none."""
        wanted = f"from_{name} against {what}"
        return next((one.comparison for one in self.columns[name].comparisons if one.name == wanted), None)

    def _comparison(self, name: str, first: str, second: str) -> Comparison:
        found: tuple[NamedComparison, ...] = self.columns[name].comparisons
        return next(one.comparison for one in found if one.contrast.pair == (first, second))

    def general(self, name: str, pool: str) -> str:
        """Return the activation that one would take who has seen the other sets alone: best mean rank there.

        Args:
            name: The set that is left out.
            pool: "found" for what was found on the others, "any" for all arms but the set's own.
        """
        rows = [arm for arm in self.arms if arm != f"from_{name}" and (pool == "any" or arm.startswith("from_"))]
        others = [other for other in self.sets if other != name]
        scores = self.scores.loc[rows, others]
        ranks = scores.rank(ascending=False).mean(axis=1)
        # Of several that are as good, the one with the best mean score.
        return str(scores.mean(axis=1)[ranks == ranks.min()].idxmax())

    def diagonal(self) -> tuple[float, float]:
        """Return the mean rank of specialists on their own sets among all that was found, and its exact p value.

        The p value counts, over all assignments of what was found to sets, those with as good a mean rank.
        """
        rows = [f"from_{name}" for name in self.sets]
        ranks = self.scores.loc[rows].rank(ascending=False).to_numpy()
        places = np.arange(len(rows))
        means = [ranks[list(order), places].mean() for order in permutations(places)]
        observed = ranks[places, places].mean()
        return float(observed), float(np.mean(np.array(means) <= observed + 1e-9))


def tables(matrix: Matrix, command: str) -> str:
    """Return the block of the page."""
    first = next(iter(matrix.columns.values()))
    conditions = "; ".join(f"{label}: {text}" for label, text in first.conditions.items() if label != "command")
    runs = sum(len(data.runs) for data in matrix.columns.values())
    seconds = sum(float(data.runs["seconds"].sum()) for data in matrix.columns.values())
    searched = sum(one["seconds"] for one in matrix.found.values())
    parts = [
        f"```\n{command}\n```",
        f"{first.splits} splits ({first.folds} folds x {first.repeats}) of every evaluation half, {runs:,} runs that "
        f"took {seconds:,.0f} s in all; the searches took {searched:,.0f} s. {conditions}.",
        "**What the searches found**, each on its search half:",
        _searches(matrix),
        "Rank correlation of a stage's score with the next one's, over the candidates that have both:",
        _agreement(matrix),
        "**The matrix**, mean test score; in brackets the verdict on it against the own formula of the set (bold):",
        _matrix(matrix),
        "**Specialists**: difference to the specialist of the set (positive: the specialist is better), 95 % interval, "
        "verdict:",
        _specialists(matrix),
        "**Found elsewhere, against ReLU** (positive: better than ReLU):",
        _relu(matrix),
        _diagonal(matrix),
    ]
    return "\n\n".join(parts)


def _searches(matrix: Matrix) -> str:
    rows = []
    for name, one in matrix.found.items():
        count = one["rows"]
        low, high = one["against_relu"]["low"], one["against_relu"]["high"]
        against = f"{one['against_relu']['difference']:+.4f} [{low:+.4f}, {high:+.4f}] {one['verdict']}"
        rows.append(
            [
                SETS[name].title,
                f"{count['train']:,} / {count['validation']:,} / {count['test']:,}",
                f"`{one['formula']}`",
                one["known_as"] or "",
                f"{one['selection']:.4f}",
                f"{one['fresh']:.4f}",
                f"{one['test']:.4f}",
                against,
                f"{one['seconds']:.0f}",
            ]
        )
    head = ["set", "rows: train / validation / own test", "found", "known as", "validation, chosen by"]
    return table([*head, "fresh seeds", "own test", "own test, minus ReLU", "seconds"], rows)


def _agreement(matrix: Matrix) -> str:
    # Not defined where all candidates have one score.
    rows = [
        [SETS[name].title, *("" if math.isnan(one) else f"{one:+.2f}" for one in found["agreement"])]
        for name, found in matrix.found.items()
    ]
    stages = ["a quarter of the epochs with all", "all epochs with ten seeds"]
    return table(["set", *stages[1 - len(rows[0]) :]], rows)


def _matrix(matrix: Matrix) -> str:
    rows = []
    for arm in [*matrix.arms, FLOOR]:
        cells = [_cell(matrix, name, arm) for name in matrix.sets]
        ranks = matrix.scores.loc[matrix.arms].rank(ascending=False)
        rank = f"{ranks.loc[arm].mean():.1f}" if arm in ranks.index else ""
        label = "logistic regression" if arm == FLOOR else arm.replace("_", " ")
        rows.append([label, f"`{matrix.formula(arm)}`" if "_" in arm else "", *cells, rank])
    heads = [f"{SETS[name].title}, {SETS[name].metric}" for name in matrix.sets]
    return table(["activation", "formula", *heads, "mean rank"], rows)


def _cell(matrix: Matrix, name: str, arm: str) -> str:
    score = f"{matrix.scores.loc[arm, name]:.4f}"
    if arm == f"from_{name}":
        return f"**{score}**"
    if arm == FLOOR:
        return score
    return f"{score} [{OPPOSITE.get(word := matrix.against_specialist(name, arm).verdict, word)}]"


def _specialists(matrix: Matrix) -> str:
    rows = []
    for name in matrix.sets:
        known = [matrix.against_specialist(name, arm) for arm in ("relu", "gelu", "silu", "ash")]
        means = [matrix.against_mean(name, what) for what in ("all found elsewhere", "all random formulas")]
        general = [matrix.general(name, pool) for pool in ("found", "any")] if len(matrix.sets) > 1 else []
        chosen = [
            f"{arm.replace('_', ' ')}: {difference(matrix.against_specialist(name, arm))}" for arm in general
        ] or ["", ""]
        others = [difference(one) if one is not None else "" for one in (*known, *means)]
        rows.append([SETS[name].title, *others, *chosen])
    head = ["specialist of", "ReLU", "GELU", "SiLU", "ASH", "mean of those found elsewhere", "mean of random formulas"]
    return table([*head, "best elsewhere, of those found", "best elsewhere, of all"], rows)


def _relu(matrix: Matrix) -> str:
    rows = []
    for arm in (f"from_{name}" for name in matrix.found):
        cells = []
        for name in matrix.sets:
            found = matrix.against_relu(name, arm) if arm != f"from_{name}" else matrix.against_specialist(name, "relu")
            cells.append(f"**{difference(found)}**" if arm == f"from_{name}" else difference(found))
        rows.append([arm.replace("_", " "), f"`{matrix.formula(arm)}`", *cells])
    return table(["found", "formula", *(f"on {SETS[name].title}" for name in matrix.sets)], rows)


def _diagonal(matrix: Matrix) -> str:
    rank, p = matrix.diagonal()
    count = len(matrix.sets)
    return (
        f"**Is the diagonal special?** Among the {count} found, the one from the set itself has a mean rank of "
        f"{rank:.2f} (chance: {(count + 1) / 2:.2f}); of all assignments of formulas to sets, {p:.1%} do as well."
    )


def difference(found: Comparison) -> str:
    """Return a difference with its interval and verdict."""
    low, high = found.interval
    return f"{found.difference:+.4f} [{low:+.4f}, {high:+.4f}] {found.verdict}"
