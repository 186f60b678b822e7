"""What stands under the first screen, in order."""

import os
import platform
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml

from ...comparison.report.blocks import Block, Section, Table
from ...comparison.report.tables import plain_table
from ..result import SearchResult
from .answer import inflation_sentence, random_sentence
from .drawings import curve_drawings, forest_drawings, front_drawings, funnel_drawings
from .tables import contender_table, failure_table, reason_table, stage_table, test_table
from .wording import label

__all__ = ["sections_of"]

_READING = (
    "The winner is the finalist with the best mean score on validation rows, which were taken from the training rows. "
    "The best of many always looks better than it is, so its selection score is no estimate of anything: the figure "
    "that counts is that of fresh seeds on the test rows, which nothing had touched before.",
    "Intervals of scores are over seeds (initialisation, order of rows, dropout) on one split of the rows: they say "
    "what other seeds would give, not what other rows would. Those of differences are paired by seed and widened as "
    "for training sets that overlap. To know about other rows, run a study over folds with axonlight compare.",
    "Equivalent: both one-sided tests place the difference within the region of practical equivalence. Else better or "
    "worse: the difference from 0 is beyond doubt. Else inconclusive: these runs do not decide, which is not the same "
    "as no difference.",
    "Random formulas passed the same gate and got the same training as the finalists, but nobody chose them. Where "
    "they do as well as the finalists, the search has found nothing that a blind draw would not.",
    "Agreement is the rank correlation of a stage's score with the next stage's, over the candidates that have both. "
    "Near 0, the stage chose no better than chance; it is low also because only the better part goes on.",
)


def sections_of(result: SearchResult, command: str = "") -> tuple[Section, ...]:
    """Return the sections that have something to show."""
    sections: tuple[tuple[str, str, tuple[Block, ...], tuple[Block, ...]], ...] = (
        ("tested", "On rows that nobody had seen", (), (forest_drawings(result), test_table(result))),
        ("finalists", "Finalists beside controls", (_finalists(result),), (contender_table(result),)),
        ("curves", "Curves", (), (curve_drawings(result),)),
        ("inflation", "What the choice flattered", (inflation_sentence(result), *random_sentence(result)), ()),
        (
            "funnel",
            "Funnel",
            (),
            ((*funnel_drawings(result), *front_drawings(result)[1:]), stage_table(result), reason_table(result)),
        ),
        ("failures", "Failed runs", (), (failure_table(result),)),
        ("conditions", "Conditions", (), (plain_table(("condition", "value"), _conditions(result, command)),)),
        ("reading", "How to read this", _READING, ()),
    )
    found = []
    for key, title, notes, blocks in sections:
        shown = [block for block in blocks if (block.rows if isinstance(block, Table) else block)]
        if shown or notes:
            found.append(Section(key, title, (*notes, *shown)))
    return tuple(found)


def _finalists(result: SearchResult) -> str:
    front = len(result.front)
    return (
        f"Mean validation {label(result)} over {len(result.winner.scores)} seeds with its 95 % interval. Front: no "
        f"other finalist is at least as good in score, nodes, cost and roughness and better in one ({front} of "
        f"{len(result.finalists)})."
    )


def _conditions(result: SearchResult, command: str) -> dict[str, str]:
    found = {
        "data": _listed(result.data),
        "versions": _listed(result.versions),
        "command": command,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "written": f"{datetime.now():%Y-%m-%d %H:%M}",
    }
    for key, value in result.settings.items():
        if key not in ("name", "question") and value not in (None, {}, []):
            found[key.replace("_", " ")] = _spoken(value)
    return {key: text for key, text in found.items() if text}


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {f'{value:,}' if isinstance(value, int) else value}" for key, value in values.items())


def _spoken(value: Any) -> str:
    """Return a setting as a search file has it, on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    if isinstance(plain, list) and len(plain) == 1:
        plain = plain[0]
    if isinstance(plain, (str, int, float)):
        return str(plain)
    return yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=10**6).strip()
