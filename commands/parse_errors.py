"""Condense jsonargparse's nested reports into one sentence."""

import difflib
import re
from collections.abc import Iterable

__all__ = ["condense"]

_NOISE = re.compile(r"^(Does not validate against|Subtypes:|Errors:|Given value|Expected a <class 'NoneType'>)")
_KEY = re.compile(r'Parser key "([^"]+)"')
_UNKNOWN_OPTION = re.compile(r"Option '([^']+)' is not accepted")
_GIVEN_VALUE = re.compile(r"Given value: (.+)$", re.MULTILINE)
_NESTED_ARGUMENT = re.compile(r"NestedArg\(key='[^']*', val='?(.*?)'?\)$")
_NOT_ALLOWED = re.compile(r"[Ii]mporting '([^']+)' is not allowed")
_NOT_A_CLASS = re.compile(r"Expected a dot import path string: (\w+)$", re.MULTILINE)


def condense(message: str, class_names: Iterable[str] = ()) -> str:
    r"""Return one sentence: the full key, and the innermost complaint.

    jsonargparse nests one paragraph per level and per member of a union; the deepest line that is neither a list
    of types nor "expected None" is the one that says what is wrong.

    Args:
        message: The text of the error.
        class_names: Short class names that a config may give, to name the nearest.

    Example:
        >>> condense('Parser key "width":\n  Expected a number\n  Given value: wide')
        'width: expected a number; given value: wide'
    """
    if "\n" not in message:
        return " ".join(message.split())
    key = ".".join(dict.fromkeys(_KEY.findall(message)))
    complaint = _complaint(message, class_names)
    return f"{key}: {complaint}" if key else complaint


def _complaint(message: str, class_names: Iterable[str]) -> str:
    if unknown := _UNKNOWN_OPTION.search(message):
        return f"option '{unknown.group(1)}' is not accepted"
    if missing := _NOT_A_CLASS.search(message):
        return _unknown_class(missing.group(1), class_names)
    if denied := _NOT_ALLOWED.search(message):
        package = denied.group(1).split(".")[0]
        return f"importing '{denied.group(1)}' is not allowed; if you trust it, add --allow_imports {package}"
    lines = [_KEY.sub("", line).strip(" -:") for line in message.splitlines()]
    telling = [line for line in lines if line and not _NOISE.match(line) and not line.startswith("Problem with")]
    sentence = " ".join((telling[-1] if telling else lines[0]).split())
    given = _given_value(message)
    return sentence[:1].lower() + sentence[1:] + (f"; given value: {given}" if given else "")


def _given_value(message: str) -> str:
    values = _GIVEN_VALUE.findall(message)
    if not values:
        return ""
    # the first is the innermost; a namespace is the whole object, which repeats the config
    nested = _NESTED_ARGUMENT.match(values[0])
    value = nested.group(1) if nested else values[0]
    return "" if value.startswith("Namespace(") else value


def _unknown_class(name: str, class_names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(class_names), n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"no class is called '{name}'{hint or '; --allow_imports PACKAGE makes the classes of a package known'}"
