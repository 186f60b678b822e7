"""What a report is made of, before it is a page or Markdown: texts, tables and figures in sections."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

__all__ = ["VERDICTS", "Answer", "Block", "Drawing", "Equation", "Section", "Table", "VerdictLine"]

VERDICTS = ("better", "worse", "equivalent", "inconclusive")


@dataclass(frozen=True)
class Table:
    """Rows of texts under a head.

    Attributes:
        wide: Whether it needs a page turned on its side.
        plain: Whether it is a list of labels and texts.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: bool = False
    plain: bool = False

    @cached_property
    def numeric(self) -> tuple[bool, ...]:
        """Whether every cell of a column begins as a number does, or is empty or a dash."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.head)
        return tuple(all(map(_begins_as_number, column)) and any(column) for column in columns)


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG, with a caption and a description for those who do not see it."""

    svg: str
    caption: str
    description: str


@dataclass(frozen=True)
class Equation:
    """A formula, as a browser and as a reader of LaTeX sees it; markup, written by our own code alone."""

    mathml: str
    latex: str


def _begins_as_number(text: str) -> bool:
    return not text or text[0].isdigit() or text == "-" or text.startswith(("+", "-", "<", "undefined"))


Block: TypeAlias = str | Table | tuple[Drawing, ...]


@dataclass(frozen=True)
class Section:
    """A title and what stands under it: paragraphs, tables, rows of drawings."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class VerdictLine:
    """Name and verdict of one comparison, its figures, and the rule that gave the verdict."""

    name: str
    word: str
    figures: str
    rule: str

    @property
    def sentence(self) -> str:
        """The comparison, its verdict and its figures in one sentence."""
        return f"{self.name}: {self.word}; {self.figures}."


@dataclass(frozen=True)
class Answer:
    """What the first screen says.

    Attributes:
        question: The study's question, or its name.
        summary: How many comparisons ended in which verdict.
        glance: Scores of references and floors on one line.
        scale: Splits, seeds and runs.
        warnings: What keeps the answer from being the whole one.
        verdicts: One per planned comparison on the metric that decides.
        scores: References and floors with their scores.
        floors: What the floors say, in a sentence each.
        claims: What became of the claims, in a sentence each.
        equation: What the answer is, where it is a formula.
        drawings: Figures that belong to the answer.
    """

    name: str
    question: str
    summary: str
    glance: str
    scale: str
    warnings: tuple[str, ...]
    verdicts: tuple[VerdictLine, ...]
    scores: Table
    floors: tuple[str, ...]
    claims: tuple[str, ...] = ()
    equation: Equation | None = None
    drawings: tuple[Drawing, ...] = ()
