"""The files of a report: whole, or as they were before."""

import json
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ..analysis.tables import ReportData
from .answer import answer_of
from .files import replace_file, replace_text
from .html_page import html_page
from .markdown import markdown_page
from .null_card import null_card_of
from .sections import sections_of
from .verdicts import verdicts_of

__all__ = ["ReportPaths", "write_report"]


@dataclass(frozen=True)
class ReportPaths:
    """Where the files of a report are.

    Attributes:
        html: The page for people; needs no other file.
        markdown: The same words and tables.
        verdicts: The answer for programs, by `VERDICTS_SCHEMA`.
        runs: One row per planned run.
        null_card: What each null model keeps, breaks and leaves alive.

    Example:
        >>> ReportPaths.within("results").html.name
        'report.html'
    """

    html: Path
    markdown: Path
    verdicts: Path
    runs: Path
    null_card: Path

    @classmethod
    def within(cls, folder: str | Path) -> "ReportPaths":
        """Return the paths in a folder."""
        names = ("report.html", "report.md", "verdicts.json", "runs.parquet", "null_card.json")
        return cls(*(Path(folder) / name for name in names))


def write_report(data: ReportData, folder: str | Path) -> ReportPaths:
    """Write the report of a study; each file replaces its former self at once, or not at all.

    Args:
        data: What `analyze` found.
        folder: Where to write; it is made where it is missing.

    Returns:
        The paths of the files.

    Example:
        >>> import tempfile
        >>> import pandas as pd
        >>> from axonlight.comparison.analysis import analyze
        >>> from axonlight.comparison.design.fields import StudyFields
        >>> study = StudyFields(base="demo.yaml", arms={"real": {}, "dense": {"dense": "nodes"}}, floors=[], repeats=1)
        >>> runs = [
        ...     {"arm": arm, "repeat": 0, "fold": fold, "seed": 0, "draw": None, "key": f"{arm} {fold}",
        ...      "state": "done", "auroc": 0.9 + 0.01 * fold}
        ...     for arm in ("real", "dense") for fold in range(5)
        ... ]
        >>> data = analyze(study, pd.DataFrame(runs))
        >>> paths = write_report(data, tempfile.mkdtemp())
        >>> json.loads(paths.verdicts.read_text())["comparisons"][0]["verdict"]
        'equivalent'
    """
    paths = ReportPaths.within(folder)
    Path(folder).mkdir(parents=True, exist_ok=True)
    answer, sections, footer = answer_of(data), sections_of(data), f"Written by axonlight {__version__}."
    replace_file(paths.runs, lambda path: data.runs.to_parquet(path, index=False))
    replace_text(paths.null_card, _json(null_card_of(data)))
    replace_text(paths.verdicts, _json(verdicts_of(data)))
    replace_text(paths.markdown, markdown_page(answer, sections, footer))
    replace_text(paths.html, html_page(answer, sections, footer))
    return paths


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
