"""What `axonlight compare` prints of a report: a line per comparison."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..comparison.analysis import ReportData
    from ..comparison.analysis.tables import NamedComparison

__all__ = ["failure_line", "printed_answer"]

_LONGEST_ERROR = 200


def printed_answer(data: "ReportData") -> list[str]:
    r"""Return the answer of a study as lines: verdicts counted, one line each, claims, and the best floor.

    Example:
        >>> import pandas as pd
        >>> from axonlight.comparison import StudyFields
        >>> from axonlight.comparison.analysis import analyze
        >>> study = StudyFields(base="demo.yaml", arms={"a": {}, "b": {}}, floors=[], folds=2, repeats=1)
        >>> rows = [(arm, fold, f"{arm} {fold}", score) for fold in (0, 1) for arm, score in (("a", 0.9), ("b", 0.7))]
        >>> runs = pd.DataFrame(rows, columns=["arm", "fold", "key", "auroc"])
        >>> runs = runs.assign(repeat=0, seed=0, draw=None, state="done")
        >>> print("\n".join(printed_answer(analyze(study, runs))))
        1 comparison on AUROC: 1 better.
        difference [95 % interval] over 2 splits; equivalent: within ±0.01
          a against b  better  +0.200 [+0.200, +0.200]
    """
    from ..comparison.report.answer import answer_of

    answer, found = answer_of(data), data.decisive
    lines = [answer.summary]
    if found:
        first = found[0].comparison
        lines.append(
            f"difference [{1 - first.level:.0%} interval] over {data.splits} splits; "
            f"equivalent: within ±{first.rope:g}".replace("%", " %")
        )
        lines += _aligned([_cells(one) for one in found])
    return [*lines, *answer.claims, *answer.warnings, *answer.floors]


def failure_line(data: "ReportData") -> str:
    """Return how many runs failed, and with what the first."""
    count, first = sum(group.runs for group in data.failures), data.failures[0]
    runs = "1 run" if count == 1 else f"{count:,} runs"
    error = first.error if len(first.error) <= _LONGEST_ERROR else f"{first.error[:_LONGEST_ERROR]}..."
    return f"axonlight: {runs} failed, the first of arm '{first.arm}' ({error}); --retry_failed repeats them"


def _cells(one: "NamedComparison") -> list[str]:
    from ..comparison.report.wording import estimate, p_value

    said = ""
    if one.empirical is not None and one.empirical.p == one.empirical.p:
        said = f"p {p_value(one.empirical.p)}, {one.empirical.count} draw{'s' * (one.empirical.count != 1)}"
    return [one.name, one.comparison.verdict, estimate(one.comparison.estimate, signed=True), said]


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [("  " + "  ".join(map(str.ljust, row, widths))).rstrip() for row in rows]
