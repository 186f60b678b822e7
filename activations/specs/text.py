"""The text form of specs: a name, and arguments that are literals or bare words. Nothing is evaluated."""

import ast
import re
from itertools import pairwise
from typing import Any

from ...errors import InputError

__all__ = ["SpecText", "read_literal", "split_arguments"]

_LONGEST = 10_000
_CALL = re.compile(r"\s*(?P<name>[A-Za-z_][\w.\- ]*?)\s*(?:\((?P<inside>.*)\)\s*)?", re.DOTALL)
_KEYWORD = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)(.*)", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_][\w.\-]*")
_CONSTANTS = {"true": True, "false": False, "none": None, "null": None}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class SpecText:
    """A spec's text in parts: `name`, unnamed `arguments` and `keywords`, all still text.

    Example:
        >>> parts = SpecText("formula(x*max(a*x, 1), a=2)")
        >>> parts.name, parts.arguments, parts.keywords
        ('formula', ['x*max(a*x, 1)'], {'a': '2'})
    """

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise InputError(f"the activation's spec has {len(text)} characters; at most {_LONGEST} are allowed")
        match = _CALL.fullmatch(text)
        if match is None:
            raise InputError(f"cannot read the activation's spec {text!r}; write a name or name(parameter=value, ...)")
        self.name: str = match["name"]
        self.arguments: list[str] = []
        self.keywords: dict[str, str] = {}
        for part in split_arguments(match["inside"] or "", text):
            keyword = _KEYWORD.fullmatch(part)
            if keyword is None:
                if self.keywords:
                    raise InputError(f"spec {text!r}: the unnamed argument {part!r} must stand before the named ones")
                self.arguments.append(part)
            elif keyword[1] in self.keywords:
                raise InputError(f"spec {text!r} gives the parameter {keyword[1]} twice")
            else:
                self.keywords[keyword[1]] = keyword[2].strip()


def split_arguments(inside: str, text: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes.

    Raises:
        InputError: If brackets or quotes do not match or an argument is empty; the message quotes `text`.

    Example:
        >>> split_arguments("max(x, 1), a=[1, 2]", "f(max(x, 1), a=[1, 2])")
        ['max(x, 1)', 'a=[1, 2]']
    """
    cuts = [-1, *_outer_commas(inside, text), len(inside)]
    parts = [inside[start + 1 : end].strip() for start, end in pairwise(cuts)]
    if parts[-1] == "":  # nothing between the brackets, or one comma too many at the end, as in Python
        parts.pop()
    if "" in parts:
        raise InputError(f"spec {text!r} has an empty argument")
    return parts


def _outer_commas(inside: str, text: str) -> list[int]:
    positions: list[int] = []
    expected: list[str] = []
    quote = ""
    for position, character in enumerate(inside):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in _CLOSING:
            expected.append(_CLOSING[character])
        elif character in _CLOSING.values():
            if not expected or expected.pop() != character:
                raise InputError(f"spec {text!r} has an unexpected {character!r}")
        elif character == "," and not expected:
            positions.append(position)
    if expected or quote:
        raise InputError(f"spec {text!r} lacks a closing {expected[-1] if expected else quote!r}")
    return positions


def read_literal(text: str, context: str) -> Any:
    """Read a number, string, list, tuple, mapping, true/false/none, or a bare word as a string.

    Raises:
        InputError: If the text is none of these; the message begins with `context`.

    Example:
        >>> read_literal("1.5", "beta"), read_literal("channel", "dims"), read_literal("true", "trainable")
        (1.5, 'channel', True)
    """
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _WORD.fullmatch(text):
        return text
    if text.startswith("[") and text.endswith("]") and "[" not in text[1:]:
        return [read_literal(part, context) for part in split_arguments(text[1:-1], text)]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        message = f"{context} has the value {text!r}; it must be a number, a word, a quoted text or a list of these"
        raise InputError(message) from error
