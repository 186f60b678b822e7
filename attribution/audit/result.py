"""What an audit found."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import false_discovery_control

from .scores import AuditScore, ScoreChange

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AuditLine", "InputUse"]

REPEAT = "repeat"
ALL = "everything"
_WORDS = {"permute": "permuted", "mean": "mean-imputed", "drop": "dropped", "knock out": "knocked out", REPEAT: ""}


class AuditLine(NamedTuple):
    """What happened to the score under one probe.

    Attributes:
        part: What was taken away: a modality, a unit of a site; "everything", or "nothing" for the repeat.
        probe: How: "permute", "mean", "drop", "knock out", or "repeat".
        site: Where, for a knock-out.
        rows: How many rows it changed.
        draws: How often, with other random numbers.
        change: The score before and after.

    Example:
        >>> change = ScoreChange(0.7, 0.6, 0.01, -0.1, 0.03, (-0.16, -0.04), 0.001)
        >>> AuditLine("rna", "permute", "", 70, 20, change).title
        'rna permuted'
    """

    part: str
    probe: str
    site: str
    rows: int
    draws: int
    change: ScoreChange

    @property
    def title(self) -> str:
        """What was done, in words."""
        if self.probe == REPEAT:
            return "nothing changed"
        return f"{self.part} {_WORDS[self.probe]}"


@dataclass(frozen=True)
class InputUse:
    """The lines of an audit.

    Args:
        score: What was measured.
        value: Score of the model as it is; NaN where it is undefined.
        rows: Number of rows n.
        lines: One per probe: the repeat, modalities, everything, knock-outs.

    Example:
        >>> InputUse(AuditScore("c_index"), 0.61, 72, ()).table().empty
        True
    """

    score: AuditScore
    value: float
    rows: int
    lines: tuple[AuditLine, ...]

    @property
    def inputs(self) -> list[AuditLine]:
        """The lines of modalities and of everything."""
        return [line for line in self.lines if line.probe not in ("knock out", REPEAT)]

    @property
    def knock_outs(self) -> list[AuditLine]:
        """The lines of knock-outs, the worst loss first."""
        lines = [line for line in self.lines if line.probe == "knock out"]
        return sorted(lines, key=lambda line: np.nan_to_num(-self._loss(line), nan=np.inf))

    @property
    def repeats(self) -> bool:
        """Whether the model says the same when it is asked again."""
        return all(
            line.change.change == 0 or np.isnan(line.change.change) for line in self.lines if line.probe == REPEAT
        )

    def table(self) -> "pd.DataFrame":
        """Return one row per line: part, probe, site, rows, draws, score, change, its interval, p and q.

        `q_value` is p after Benjamini and Hochberg among the knock-outs at one site; elsewhere it is missing.
        """
        import pandas as pd

        columns = ["part", "probe", "site", "rows", "draws", "score_before", "score", "draw_deviation", "change"]
        columns += ["standard_error", "low", "high", "p_value"]
        rows = [[*line[:5], *line.change[:5], *line.change.interval, line.change.p_value] for line in self.lines]
        # before, after, deviation, change, standard_error is the order of a change
        table = pd.DataFrame(rows, columns=columns)
        table["q_value"] = np.nan
        known = (table["probe"] == "knock out") & table["p_value"].notna()
        for site in dict.fromkeys(table.loc[known, "site"]):
            members = known & (table["site"] == site)
            table.loc[members, "q_value"] = false_discovery_control(np.asarray(table.loc[members, "p_value"]))
        return table

    def write(self, path: str | Path) -> Path:
        """Write the table as CSV."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.table().to_csv(path, index=False)
        return path

    def drawn(self, top: int = 5) -> list[AuditLine]:
        """Return the lines to look at first: modalities, and the `top` knock-outs of every site that cost most."""
        chosen, costly = self.inputs, [line for line in self.knock_outs if self._loss(line) > 0]
        for site in dict.fromkeys(line.site for line in self.lines if line.site):
            chosen += [line for line in costly if line.site == site][:top]
        return chosen

    def _loss(self, line: AuditLine) -> float:
        return -line.change.change if self.score.higher_is_better else line.change.change

    def sentences(self, top: int = 5) -> list[str]:
        """Return what to print: each modality, and the `top` knock-outs of every site that cost most."""
        return list(self._sentences(top))

    def _sentences(self, top: int) -> Iterator[str]:
        if np.isnan(self.value):
            yield f"audit: none, since the {self.score.title} of these {self.rows} rows is undefined"
            return
        yield f"audit: {self.score.title} {self.value:.3f} on {self.rows} rows; changes, with 95 % intervals, when"
        if not self.repeats:
            yield "  the model answers the same rows differently each time: changes below hold that noise"
        shown = self.drawn(top)
        width = max((len(line.title) for line in shown), default=0)
        for line in shown:
            yield f"  {line.title:<{width}}  {_figures(line)}"
        table = self.table()
        for site in dict.fromkeys(line.site for line in self.lines if line.site):
            costly = sum(self._loss(line) > 0 for line in self.knock_outs if line.site == site)
            q_values = np.asarray(table.loc[table["site"] == site, "q_value"])
            told = (q_values < 0.05).sum()
            yield f"  of {len(q_values)} knock-outs at {site}, {costly} cost something, {told} change it with q < 0.05"


def _figures(line: AuditLine) -> str:
    found = line.change
    if np.isnan(found.change):
        return "undefined"
    noise = f", draws differ by {found.deviation:.3f}" if line.draws > 1 else ""
    return f"{found.change:+.3f} ({found.interval[0]:+.3f} to {found.interval[1]:+.3f}{noise})"
