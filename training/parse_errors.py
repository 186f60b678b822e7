"""Condense jsonargparse's nested reports into one sentence.

jsonargparse nests one paragraph per level and per member of a union. What is wrong stands in the deepest line that is
neither a list of types nor "expected None"; the key is spread over all levels.
"""

import difflib
import re
from collections.abc import Iterable

__all__ = ["condense"]

_NOISE = re.compile(
    r"Does not validate against|Subtypes:|Errors:|Given value|Expected a <class 'NoneType'>|Expected a path but|"
    r"Problem with given class_path|Not a valid subclass of|Subclass types expect|a class path \(str\)$|"
    r"a dict with(out)? (class_path|parameters)"
)
_KEY = re.compile(r'Parser key "([^"]+)":?')
_GROUP = re.compile(r"Group '([^']+)' does not accept")
_UNKNOWN_OPTION = re.compile(r"(?<=ption )'([^']+)' is not accepted|(?<=does not accept option )'([^']+)'")
_UNKNOWN_ARGUMENT = re.compile(r"[Uu]nrecognized arguments: (\S+)")
_UNKNOWN_KEYS = re.compile(r"Unexpected keys: \{'(.+?)'[,}]")
_REQUIRED = re.compile(r"the following arguments are required: (.+)")
_VERB = re.compile(r"\b(?:fit|validate|test|predict)\.")
_EXPECTED = re.compile(r"( *)(?:- )?Expected a (?:<class '(\w+)'>|typing\.Literal\[(.+?)\](?=\.|$))")
_PREFIX = re.compile(r"^Type .+? expects a function or a callable class: |\.+ Got value: .*$")
_GOT_VALUE = re.compile(r"Got value: (.+?)(?:\. Got value: |$)", re.MULTILINE)
_GIVEN_VALUE = re.compile(r"Given value: (.+?)(?:\. Got value: |$)", re.MULTILINE)
_NESTED_KEY = re.compile(r"NestedArg\(key='([^']+)'")
_NESTED_ARGUMENT = re.compile(r"NestedArg\(key='[^']*', val='?(.*?)'?\)$")
_NOT_ALLOWED = re.compile(r"[Ii]mporting '([^']+)' is not allowed")
_TEXT_SPEC = re.compile(r"Unexpected import path format: (.+)$", re.MULTILINE)
_NOT_A_CLASS = re.compile(r"Expected a dot import path string: (\w+)$", re.MULTILINE)

_TYPE_NAMES = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "dict": "a mapping",
}
_LONGEST_VALUE = 120


def condense(message: str, class_names: Iterable[str] = ()) -> str:
    r"""Return one sentence: the full key, the innermost complaint, the value, and the nearest known names.

    Args:
        message: The text of the error.
        class_names: Short class names that a config may give, to name the nearest.

    Example:
        >>> condense('Parser key "width":\n  Expected a <class \'int\'>\n  Given value: wide')
        "width is 'wide'; it must be an integer"
    """
    key = ".".join(dict.fromkeys(_KEY.findall(message) or _GROUP.findall(message)))
    if unknown := _UNKNOWN_OPTION.search(message) or _UNKNOWN_ARGUMENT.search(message):
        return _unknown_option(key, unknown[unknown.lastindex or 0])
    if denied := _NOT_ALLOWED.search(message):
        package = denied.group(1).split(".")[0]
        complaint = f"importing '{denied.group(1)}' is not allowed; if you trust it, add --allow_imports {package}"
        return _with_key(key, complaint)
    if required := _REQUIRED.search(message):
        return _with_key(key, f"{_VERB.sub('', required.group(1))} must be given")
    if extra := _UNKNOWN_KEYS.search(message):
        return _with_key(key, _unknown_key(key, extra[1]))
    key = _with_nested_key(key, message)
    if text := _TEXT_SPEC.search(message):
        return f"{key} is the text '{text.group(1)}', whose parts cannot be set one by one; name a class first"
    expected = _expected(message)
    missing = _NOT_A_CLASS.search(message)
    if missing and not set(expected) - {"a list", "a mapping", "text"}:
        return _with_key(key, _unknown_class(key, missing.group(1), class_names))
    value = _value(message)
    if expected and key:
        return f"{key} is {value or 'of another type'}; it must be {' or '.join(expected)}"
    return _with_key(key, _innermost(message))


def _with_nested_key(key: str, message: str) -> str:
    """Add the key within a mapping, which only the flag that set it names."""
    for nested in _NESTED_KEY.findall(message):
        mapping, _, inner = nested.partition(".")
        if inner and key.rpartition(".")[2] == mapping:
            return f"{key}.{inner}"
    return key


def _with_key(key: str, complaint: str) -> str:
    return f"{key}: {complaint}" if key else complaint


def _expected(message: str) -> list[str]:
    """Return the types that the innermost value could have had."""
    found = [match for line in message.splitlines() if (match := _EXPECTED.match(line)) and match[2] != "NoneType"]
    depth = max((len(match[1]) for match in found), default=0)
    deepest = [match for match in found if len(match[1]) == depth]
    choices = [choice.strip("'") for match in deepest for choice in (match[3] or "").split(", ") if choice]
    names = [_TYPE_NAMES.get(match[2], match[2]) for match in deepest if match[2]]
    return [*dict.fromkeys(names), *([f"one of {', '.join(dict.fromkeys(choices))}"] if choices else [])]


def _value(message: str) -> str:
    """Return the innermost value; whole objects, which would repeat the config, are left out."""
    for value in [*_GOT_VALUE.findall(message), *_GIVEN_VALUE.findall(message)]:
        nested = _NESTED_ARGUMENT.match(value)
        text = nested[1] if nested else value
        if not text.startswith("Namespace(") and len(text) <= _LONGEST_VALUE:
            return text if text[:1] in "[{'" else f"'{text}'"
    return ""


def _innermost(message: str) -> str:
    lines = [_KEY.sub("", line).strip(" -:") for line in message.splitlines()]
    telling = [line for line in lines if line and not _NOISE.match(line)]
    sentence = " ".join(_PREFIX.sub("", telling[-1] if telling else message).split())
    if len(lines) == 1:
        return sentence
    sentence = sentence[:1].lower() + sentence[1:]
    value = _value(message)
    # a value that the sentence quotes already need not be repeated
    return sentence if not value or value.strip("'") in sentence else f"{sentence}; given value: {value}"


def _unknown_option(key: str, option: str) -> str:
    name = option.lstrip("-").partition("=")[0]
    path = f"{key}.{name}" if key else name
    return f"{path} is not an option{_did_you_mean(path, _known_options())}"


def _unknown_key(key: str, name: str) -> str:
    beside = [option.rpartition(".")[2] for option in _known_options() if option.rpartition(".")[0] == key]
    near = difflib.get_close_matches(name, [other for other in beside if other != name], n=1)
    return f"the key '{name}' is not accepted{f'; did you mean {near[0]}?' if near else ''}"


def _did_you_mean(path: str, known: Iterable[str]) -> str:
    """Suggest names beside the unknown one, else the nearest anywhere."""
    known = list(known)
    parent, _, name = path.rpartition(".")
    beside = {option.rpartition(".")[2]: option for option in known if option.rpartition(".")[0] == parent}
    near = [beside[match] for match in difflib.get_close_matches(name, beside, n=2)]
    near = near or difflib.get_close_matches(path, known, n=1, cutoff=0.8)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _known_options() -> dict[str, tuple[str, list[str]]]:
    # The parser that failed has imported all of this already; another caller need not.
    from .completion_options import training_options

    return training_options("fit")


def _unknown_class(key: str, name: str, class_names: Iterable[str]) -> str:
    _, suitable = _known_options().get(key, ("", []))
    near = difflib.get_close_matches(name, suitable or list(class_names), n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"no class is called '{name}'{hint or '; --allow_imports PACKAGE makes the classes of a package known'}"
