"""The page of the induction-head reproduction: one HTML file that asks nobody for anything."""

from collections.abc import Sequence

from _induction_figure import Found, draw_one, panels
from _induction_report import order_line, tables_of, verdicts_of
from _induction_statistics import ORDER, PUBLISHED
from axonlight import __version__
from axonlight.comparison.report.blocks import Answer, Drawing, Section, Table, VerdictLine
from axonlight.comparison.report.html_page import html_page
from axonlight.plots.inline_svg import inline_svg

__all__ = ["page_of"]

WORDS = {"earlier": "better", "later": "worse", "undecided": "inconclusive"}
SAID = {"earlier": "learns earlier", "later": "learns later", "undecided": "undecided"}
RULE = (
    "better: the first learns earlier. Geometric mean of the ratio of the times, paired by seed, with its 95 % t "
    "interval; p adjusted over all pairs (Holm), 5 %."
)


def page_of(found: Found, conditions: Sequence[str]) -> str:
    """Return the page.

    Args:
        found: What was measured.
        conditions: What was decided before, in sentences.
    """
    tables = tables_of(found)
    arms, seeds = found.main["arm"].nunique(), found.main["seed"].nunique()
    head, rows = tables["When the arms learn"]
    answer = Answer(
        name="Reproduction: induction heads",
        question="Which part of an induction head does learning wait for?",
        summary=f"Found: {order_line(found)} (~: undecided). Published: {' < '.join(ORDER)}.",
        glance="Sequences until the loss is below 0.277, from the earliest to the latest.",
        scale=f"{arms} arms, {seeds} seeds each; rate 1e-4, drawn features.",
        warnings=(),
        verdicts=tuple(_verdict(one) for one in verdicts_of(found)),
        scores=Table(tuple(head[:3]), tuple(tuple(row[:3]) for row in rows)),
        floors=(),
    )
    drawings = {key: _drawing(key, found) for key in panels}
    places = {
        "When the arms learn": ("curves", "times"),
        "Heads without a clamp": ("strengths",),
        "Clamps as progress measures": ("twin",),
        "More labels, more classes": ("labels", "classes"),
    }
    sections = [
        _section(title, table, [drawings[key] for key in places.get(title, ())]) for title, table in tables.items()
    ]
    decided = Section("decided", "Decided before", tuple(conditions))
    return html_page(answer, (decided, *sections), f"axonlight {__version__}. Published figures: arXiv 2404.07129.")


def _verdict(one: object) -> VerdictLine:
    first, second, interval, p, word, _ = one  # type: ignore[misc]
    figures = (
        f"{SAID[word]}: {interval.mean:.2f} times as long [{interval.low:.2f}, {interval.high:.2f}], p = {p:.2g}; "
        f"published {PUBLISHED[first] / PUBLISHED[second]:.2f}"
    )
    return VerdictLine(f"{first} against {second}", WORDS[word], figures, RULE)


def _drawing(key: str, found: Found) -> Drawing:
    panel = panels[key]
    return Drawing(inline_svg(draw_one(panel, found), key, panel.caption), f"{panel.title}. {panel.caption}", "")


def _section(title: str, table: tuple[Sequence[str], list[list[str]]], drawings: Sequence[Drawing]) -> Section:
    head, rows = table
    blocks: list[object] = [Table(tuple(head), tuple(map(tuple, rows)))]
    if drawings:
        blocks.insert(0, tuple(drawings))
    return Section(title.lower().replace(" ", "-").replace(",", ""), title, tuple(blocks))  # type: ignore[arg-type]
