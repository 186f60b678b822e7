"""Figures as SVG that stands inside a page: no declaration, no metadata, no id that another figure has too."""

import html
import io
import re

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["inline_svg"]

# What belongs to a file of its own; the style would hold for the whole page.
_OF_A_FILE = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
_ID = re.compile(r'\bid="([^"]+)"')
_LINK = re.compile(r'(url\(#|href="#)')


def inline_svg(figure: Figure, key: str, description: str) -> str:
    """Return a figure as an SVG element whose ids begin with `key`.

    Letters stay letters: they can be searched, copied and read aloud, and need no font inside the file.

    Args:
        figure: The figure.
        key: Something no other figure of the page has.
        description: For those who do not see it.

    Example:
        >>> figure = Figure(figsize=(2, 1))
        >>> _ = figure.text(0.1, 0.5, "0.01 < p")
        >>> svg = inline_svg(figure, "first", "a p value")
        >>> svg[:4], "0.01 &lt; p" in svg, 'id="first-' in svg
        ('<svg', True, True)
    """
    # the salt makes ids, and with them the file, the same every time
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = _OF_A_FILE.sub("", buffer.getvalue()).strip()
    text = _ID.sub(rf'id="{key}-\1"', text)
    text = _LINK.sub(rf"\1{key}-", text)
    head, rest = text.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{html.escape(description)}">{rest}'
