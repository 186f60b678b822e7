"""One page for stimulation through training and the same stimulation of finished checkpoints."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from ... import __version__
from ...errors import InputError
from ...plots import draw_progress_measures
from ...plots.inline_svg import inline_svg
from .blocks import Answer, Drawing, Section, Table
from .html_page import html_page
from .markdown import markdown_page

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ProgressPaths", "write_progress_report"]

# (trained, measured) of the arms, in the order of the page.
ARMS = {
    ("free", "free"): "never stimulated",
    ("free", "stimulated"): "stimulated at checkpoints alone (progress measure)",
    ("stimulated", "stimulated"): "stimulated through training",
    ("stimulated", "free"): "trained stimulated, light off",
}
PROGRESS, CLAMPED = ("free", "stimulated"), ("stimulated", "stimulated")


@dataclass(frozen=True)
class ProgressPaths:
    """Where the files of the report are.

    Attributes:
        html: The page with the figure; needs no other file.
        markdown: The same words and tables.
        table: All measures, a row per seed, checkpoint and arm.
        picture: The figure.

    Example:
        >>> ProgressPaths.within("results").html.name
        'progress.html'
    """

    html: Path
    markdown: Path
    table: Path
    picture: Path

    @classmethod
    def within(cls, folder: str | Path) -> "ProgressPaths":
        """Return the paths in a folder."""
        return cls(*(Path(folder) / f"progress.{suffix}" for suffix in ("html", "md", "csv", "png")))


def write_progress_report(
    tables: "Sequence[pd.DataFrame]",
    folder: str | Path,
    *,
    measure: str = "loss",
    learned_below: float,
    title: str = "Stimulated through training, or at checkpoints",
) -> ProgressPaths:
    """Write the report of progress measures, one table of `axonlight.stimulation.progress_measures` per seed.

    Args:
        tables: The tables.
        folder: Where to write; it is made where it is missing.
        measure: Column that is reported; smaller is better.
        learned_below: An arm has learned at its first checkpoint whose measure is smaller.
        title: What the page is called.

    Raises:
        InputError: If there is no table, or one lacks the measure.

    Example:
        >>> import tempfile
        >>> import pandas as pd
        >>> rows = [("free", "free", 0.9, 0.2), ("free", "stimulated", 0.5, 0.1), ("stimulated",) * 2 + (0.1, 0.1)]
        >>> tables = [
        ...     pd.DataFrame([
        ...         {"trained": trained, "measured": measured, "step": step, "loss": loss}
        ...         for trained, measured, *losses in rows for step, loss in zip((10, 20 + seed), losses)
        ...     ])
        ...     for seed in range(2)
        ... ]
        >>> paths = write_progress_report(tables, tempfile.mkdtemp(), learned_below=0.277)
        >>> print(paths.markdown.read_text().splitlines()[6])
        | never stimulated | 20.5 | 20 to 21 | 2 of 2 |
    """
    import pandas as pd

    if not tables or not all(measure in table for table in tables):
        raise InputError(f"measure is {measure!r}, and not every table has it; give one table per seed, at least one")
    paths = ProgressPaths.within(folder)
    Path(folder).mkdir(parents=True, exist_ok=True)
    whole = pd.concat([table.assign(seed=seed) for seed, table in enumerate(tables)], ignore_index=True)
    whole.to_csv(paths.table, index=False)
    figure = draw_progress_measures(list(tables), measure, level=learned_below)
    figure.savefig(paths.picture, dpi=150)
    times = {arm: [learning_time(table, arm, measure, learned_below) for table in tables] for arm in ARMS}
    times = {arm: found for arm, found in times.items() if not np.isnan(found).all()}
    answer = _answer(title, times, measure, learned_below, len(tables))
    caption = f"{measure} over updates: median over seeds, and the band of the middle 80 % of them."
    told = answer.summary.removesuffix(".")
    drawing = Drawing(inline_svg(figure, "progress", f"{caption} {told}"), caption, told)
    section = Section("curves", "Over training", ((drawing,),))
    footer = f"Written by axonlight {__version__}."
    paths.markdown.write_text(markdown_page(answer, (section,), footer), encoding="utf-8")
    paths.html.write_text(html_page(answer, (section,), footer), encoding="utf-8")
    return paths


def learning_time(table: "pd.DataFrame", arm: tuple[str, str], measure: str, level: float) -> float:
    """Return the step of the first checkpoint whose measure is below a level: infinity if none is, NaN without any."""
    rows = table[(table["trained"] == arm[0]) & (table["measured"] == arm[1])]
    steps, values = np.asarray(rows["step"], np.float64), np.asarray(rows[measure], np.float64)
    return float(steps[values < level].min(initial=math.inf)) if len(steps) else math.nan


def _answer(
    title: str, times: Mapping[tuple[str, str], Sequence[float]], measure: str, level: float, seeds: int
) -> Answer:
    rows = []
    for arm, found in times.items():
        finite = [time for time in found if math.isfinite(time)]
        spread = f"{min(finite):g} to {max(finite):g}" if finite else "-"
        median = float(np.median(found))
        rows.append((ARMS[arm], f"{median:g}" if math.isfinite(median) else "-", spread, f"{len(finite)} of {seeds}"))
    return Answer(
        name="progress measures",
        question=title,
        summary=f"{_ratio(times.get(PROGRESS, ()), times.get(CLAMPED, ()), seeds)}.",
        glance=f"learned: {measure} below {level:g}, at the checkpoints that there are",
        scale=f"{seeds} seed{'s' * (seeds != 1)}",
        warnings=(),
        verdicts=(),
        scores=Table(("arm", "updates to learn, median", "range", "learned"), tuple(rows)),
        floors=(),
    )


def _ratio(progress: Sequence[float], clamped: Sequence[float], seeds: int) -> str:
    """Say by which factor the progress measure is later, with the interval over seeds of a t test on logarithms."""
    pairs = [(p, c) for p, c in zip(progress, clamped, strict=False) if 0 < p < math.inf and 0 < c < math.inf]
    if not pairs:
        return "No seed has both learning times"
    logs = np.log([p / c for p, c in pairs])
    said = f"The progress measure is learned {math.exp(logs.mean()):.2f} times as late as under stimulation throughout"
    among = f"in the {len(pairs)} of {seeds} seeds that have both times"
    if len(pairs) < 2 or logs.std() == 0:
        return f"{said}, {among}"
    low, high = np.exp(stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs)))
    return f"{said} (95 % interval {low:.2f} to {high:.2f}), {among}"
