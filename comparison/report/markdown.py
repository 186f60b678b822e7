"""The report as Markdown: the same words and tables, without the figures."""

import re

from .blocks import Answer, Block, Section, Table

__all__ = ["escaped", "markdown_page"]

_SPECIAL = re.compile(r"([\\`*_<>|#])")


def markdown_page(answer: Answer, sections: tuple[Section, ...], footer: str) -> str:
    """Return the report.

    Args:
        answer: What stands first.
        sections: What follows.
        footer: A last line.
    """
    parts = [f"# {escaped(answer.question)}", f"**{escaped(answer.summary)}** {escaped(answer.scale)}."]
    parts += [f"$$f(x) = {answer.equation.latex}$$"] if answer.equation else []
    parts += [f"> {escaped(warning)}" for warning in answer.warnings]
    parts += [f"**{escaped(claim)}**" for claim in answer.claims]
    lines = [
        f"- {escaped(line.name)}: **{line.word}**; {escaped(line.figures)}. {escaped(line.rule)}"
        for line in answer.verdicts
    ]
    parts += ["\n".join(lines)] if lines else []
    parts += [_block(answer.drawings)] if answer.drawings else []
    parts += [_table(answer.scores), *map(escaped, answer.floors)]
    for section in sections:
        parts += [f"## {escaped(section.title)}", *map(_block, section.blocks)]
    return "\n\n".join([*parts, "---", escaped(footer)]) + "\n"


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    Example:
        >>> print(escaped("a|b <i>_x_</i>"))
        a\|b \<i\>\_x\_\</i\>
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _block(block: Block) -> str:
    if isinstance(block, str):
        return escaped(block)
    if isinstance(block, Table):
        return _table(block)
    return "\n".join(f"- {escaped(one.caption)} {escaped(one.description)}." for one in block)


def _table(table: Table) -> str:
    rule = ["---:" if numeric else "---" for numeric in table.numeric]
    rows = [table.head, *table.rows]
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])
