"""The report as one HTML file: it asks nobody for anything and runs no script."""

import re
from html import escape

from ...plots.page_style import STYLE
from .blocks import VERDICTS, Answer, Block, Section, Table, VerdictLine

__all__ = ["html_page"]

# Whatever a study's texts hold, a browser fetches nothing and runs nothing.
# With more verdicts than these, a reader unfolds the rules.
_IN_FULL = 6
# With more than these the verdicts take the whole width, and the floors stand beneath.
_ASIDE = 10
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

# Spaces within "[-0.01, +0.02]" and "p = 0.3".
_BREAKS = re.compile(r"(?<=\d,) (?=[+-]?[\d.]+\])|(?<=\bp) (?=[=&])|(?<=p =) (?=\d)|(?<=p &lt;) ")


def html_page(answer: Answer, sections: tuple[Section, ...], footer: str) -> str:
    """Return the page.

    Args:
        answer: The first screen.
        sections: What follows.
        footer: A last line, such as version and date.
    """
    title = escape(f"{answer.name}: {answer.question}")
    links = "".join(f'<li><a href="#{escape(part.key)}">{escape(part.title)}</a></li>' for part in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{_first_screen(answer)}
<nav aria-label="Contents"><ul>{links}</ul></nav>
{"".join(map(_section, sections))}
<footer>{escape(footer)}</footer>
</main>
</body>
</html>
"""


def _first_screen(answer: Answer) -> str:
    warnings = "".join(f'<p class="warning">{escape(warning)}</p>' for warning in answer.warnings)
    equation = f'<div class="equation">{answer.equation.mathml}</div>' if answer.equation else ""
    claims = "".join(f'<p class="summary">{escape(claim)}</p>' for claim in answer.claims)
    floors = "".join(f"<p>{_together(sentence)}</p>" for sentence in answer.floors)
    verdicts = "".join(_verdict(line, brief=len(answer.verdicts) > _IN_FULL) for line in answer.verdicts)
    return f"""<header>
<p class="name">{escape(answer.name)}</p>
<h1>{escape(answer.question)}</h1>
<p class="summary">{escape(answer.summary)}</p>
{equation}
{claims}
<p class="glance">{escape(answer.glance)}</p>
<p class="scale">{escape(answer.scale)}</p>
{warnings}
</header>
<div class="{"answer many" if len(answer.verdicts) > _ASIDE else "answer"}">
<section aria-label="Verdicts"><ol class="verdicts">{verdicts}</ol>{_block(answer.drawings)}</section>
<section class="scores" aria-label="Scores">{_table(answer.scores)}{floors}</section>
</div>"""


def _verdict(line: VerdictLine, brief: bool) -> str:
    rule = f'<p class="rule">{_together(line.rule)}</p>'
    rule = f"<details><summary>rule</summary>{rule}</details>" if brief else rule
    return (
        f'<li class="{line.word}"><strong>{escape(line.name)}:</strong> <span class="badge">{line.word}</span>'
        f'<p class="figures">{_together(line.figures)}</p>{rule}</li>'
    )


def _section(section: Section) -> str:
    wide = any(isinstance(block, Table) and block.wide for block in section.blocks)
    blocks = list(map(_block, section.blocks))
    # On paper the title stays with its notes and what comes first after them.
    lead = 1 + next((place for place, block in enumerate(section.blocks) if not isinstance(block, str)), 0)
    kind = ' class="wide"' if wide else ""
    title = f'<div class="lead"><h2>{escape(section.title)}</h2>{"".join(blocks[:lead])}</div>'
    return f'<section id="{escape(section.key)}"{kind}>{title}{"".join(blocks[lead:])}</section>\n'


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    if isinstance(block, Table) and block.plain:
        return (
            "<dl>" + "".join(f"<dt>{escape(key)}</dt><dd>{_together(text)}</dd>" for key, text in block.rows) + "</dl>"
        )
    if isinstance(block, Table):
        return (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(block.head[0])}">{_table(block)}</div>'
        )
    if not block:
        return ""
    figures = [f"<figure>{one.svg}<figcaption>{escape(one.caption)}</figcaption></figure>" for one in block]
    return f'<div class="drawings">{"".join(figures)}</div>'


def _table(table: Table) -> str:
    heads = "".join(
        f'<th scope="col"{_kind(place, table)}>{escape(text)}</th>' for place, text in enumerate(table.head)
    )
    rows = "".join(
        f"<tr>{''.join(_cell(place, text, table) for place, text in enumerate(row))}</tr>" for row in table.rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(place: int, text: str, table: Table) -> str:
    if place == 0:
        return f'<th scope="row">{escape(text)}</th>'
    if text in VERDICTS:
        return f'<td class="{text}"><span class="word">{text}</span></td>'
    return f"<td{_kind(place, table)}>{_together(text)}</td>"


def _kind(place: int, table: Table) -> str:
    return ' class="number"' if table.numeric[place] else ' class="words"'


def _together(text: str) -> str:
    """Return text whose intervals and equations do not break at the end of a line."""
    return _BREAKS.sub("&nbsp;", escape(text))
