"""Text to tree: a whitelist over Python's own syntax tree. Nothing is ever compiled to code or evaluated."""

import ast
import difflib
import keyword
import math
import re
import warnings
from typing import NoReturn

from ...errors import InputError
from .operators import ARITY, Protection
from .program import fold
from .tree import (
    MAX_DEPTH,
    MAX_EXPONENT,
    MAX_LENGTH,
    MAX_MAGNITUDE,
    MAX_NODES,
    Constant,
    Node,
    Number,
    Operation,
    Variable,
    count_nodes,
)

__all__ = ["check_constant_name", "parse_formula"]

_FEATURE = re.compile(r"X[0-9]+")
_CONSTANT = re.compile(r"[a-z][a-z0-9]*")
_DECIMAL = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9+\-*/(),. \t\r\n]")
_ADVICE = {"^": "write ** for a power", "=": "values of constants are given beside the formula"}
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
}
_ALLOWED = f"+ - * / ** ( ), numbers, x, lower-case names and the functions {' '.join(ARITY)}"


def _shorten(text: str, width: int = 60) -> str:
    """Quote a text on one line, with everything but plain ASCII escaped."""
    return ascii(text if len(text) <= width else text[: width - 3] + "...")


def _refuse(text: str, reason: str) -> NoReturn:
    raise InputError(f"formula {_shorten(text)}: {reason}") from None


def parse_formula(text: str, collapse: bool = False, protect: Protection = "smooth") -> Node:
    """Turn the text of a formula into its tree, without running any of it.

    Infix (`2*x**2 + x`) and gplearn's prefix form (`add(mul(2, square(X0)), X0)`) may be mixed. The variable
    is `x`, or one feature name such as `X17`; any other lower-case name is a constant.

    Args:
        text: The formula.
        collapse: Read several feature names as the one variable, as arXiv 2601.10740 does; without it they
            are refused, because the result is another function than the one that was found.
        protect: Arithmetic of the parts that hold numbers alone: ordinary, or gplearn's, which knows 1/0.

    Returns:
        The tree; `str(tree)` is canonical text that parses to an equal tree.

    Raises:
        InputError: If the text holds anything outside the grammar or beyond its limits.

    Example:
        >>> from axonlight.activations.formula import parse_formula
        >>> str(parse_formula("mul(cos(X0), X0)"))
        'cos(x) * x'
        >>> parse_formula("x.real")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: formula 'x.real': 'x.real' takes an attribute, which is not allowed
    """
    if not isinstance(text, str):
        raise InputError(f"formula is {_shorten(repr(text))}; it must be text such as 'x*cos(x)'")
    source = _checked_characters(text)
    reader = _Reader(source)
    tree = reader.read(_syntax_tree(source), depth=1)
    if not reader.variables:
        _refuse(source, "it does not contain x, the variable")
    if len(reader.variables) > 1 and not collapse:
        names = ", ".join(sorted(reader.variables))
        _refuse(source, f"it has several variables ({names}); one is allowed, or collapse=True to read all as x")
    size = count_nodes(tree)
    if size > MAX_NODES:
        _refuse(source, f"it has {size} nodes; at most {MAX_NODES} are allowed")
    fold(tree, protect)
    return tree


def check_constant_name(name: object) -> None:
    """Refuse a name that no constant of a formula can have.

    Raises:
        InputError: If it is not lower-case letters and digits, or names x, a function or a Python keyword.

    Example:
        >>> from axonlight.activations.formula.grammar import check_constant_name
        >>> check_constant_name("beta")
    """
    taken = isinstance(name, str) and (name == "x" or name in ARITY or keyword.iskeyword(name))
    if not isinstance(name, str) or taken or not _CONSTANT.fullmatch(name):
        raise InputError(
            f"constant name {_shorten(str(name))} is not allowed; it must be lower-case letters and digits, "
            "starting with a letter, and not x, a function or a Python keyword"
        )


def _checked_characters(text: str) -> str:
    """Return the text on one line, refusing what cannot be part of any formula before Python reads it."""
    if len(text) > MAX_LENGTH:
        _refuse(text, f"it has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    if found := _FORBIDDEN.search(text):
        advice = _ADVICE.get(found.group())
        hint = advice or f"allowed are {_ALLOWED}"
        _refuse(text, f"the character {found.group()!a} is not allowed; {hint}")
    source = " ".join(text.split())
    if not source:
        _refuse(text, "it is empty; write for instance 'x*cos(x)'")
    return source


def _syntax_tree(source: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as the SyntaxWarning for `1if`
            return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = ""
        if isinstance(error, SyntaxError) and error.offset:
            where = f" near {_shorten(source[max(error.offset - 1, 0) :][:20] or 'its end')}"
        words = [word for word in re.findall(r"[A-Za-z]\w*", source) if keyword.iskeyword(word)]
        if words:
            _refuse(source, f"{words[0]!r} is a word of Python and cannot be a name; choose another")
    _refuse(source, f"it cannot be read{where}; allowed are {_ALLOWED}")


class _Reader:
    """Walks Python's syntax tree and builds ours, remembering which variables it met."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.variables: set[str] = set()

    def read(self, node: ast.expr, depth: int) -> Node:  # noqa: RET503  (the last case never returns)
        if depth > MAX_DEPTH:
            _refuse(self.source, f"it is nested more than {MAX_DEPTH} levels deep")
        match node:
            case ast.Constant():
                return Number(self._number(node))
            case ast.Name():
                return self._name(node)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.read(node.operand, depth + 1)
            case ast.UnaryOp(op=ast.USub()):
                return self._operation(node, "neg", (self.read(node.operand, depth + 1),))
            case ast.BinOp() if type(node.op) in _BINARY:
                operands = (self.read(node.left, depth + 1), self.read(node.right, depth + 1))
                return self._operation(node, _BINARY[type(node.op)], operands)
            case ast.Call():
                name = self._function(node)
                return self._operation(node, name, tuple(self.read(item, depth + 1) for item in node.args))
            case _:
                self._refuse_part(node, self._describe(node))

    def _part(self, node: ast.expr) -> str:
        return _shorten(self.source[node.col_offset : node.end_col_offset], width=40)

    def _refuse_part(self, node: ast.expr, reason: str) -> NoReturn:
        _refuse(self.source, f"{self._part(node)} {reason}")

    def _describe(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            return "takes an attribute, which is not allowed"
        return f"is a Python {type(node).__name__}, which is not allowed; allowed are {_ALLOWED}"

    def _number(self, node: ast.Constant) -> float:
        literal = self.source[node.col_offset : node.end_col_offset]
        if not _DECIMAL.fullmatch(literal):
            self._refuse_part(node, "is not a decimal number such as 2, 0.5 or 1e-3")
        value = float(literal)
        if not value <= MAX_MAGNITUDE:
            self._refuse_part(node, f"is too large; numbers reach at most {MAX_MAGNITUDE:g}")
        return value

    def _name(self, node: ast.Name) -> Node:
        name = node.id
        if name == "x" or _FEATURE.fullmatch(name):
            self.variables.add(name)
            return Variable()
        if name in ARITY:
            self._refuse_part(node, f"is a function; write {name}(x)")
        if name == "pi":
            self._refuse_part(node, f"is no built-in number; write {math.pi:.8g}, or name a constant otherwise")
        if not _CONSTANT.fullmatch(name):
            self._refuse_part(node, "is not allowed; names are x, X0 (a feature) or lower-case letters and digits")
        return Constant(name)

    def _function(self, node: ast.Call) -> str:
        if not isinstance(node.func, ast.Name):
            self._refuse_part(node.func, "cannot be called; write * for a product")
        name = node.func.id
        if name not in ARITY:
            near = difflib.get_close_matches(name[:20], ARITY, n=3)
            hint = f"nearest are {', '.join(near)}" if near else f"allowed are {' '.join(ARITY)}"
            self._refuse_part(node.func, f"is not a function; {hint}")
        if node.keywords or len(node.args) != ARITY[name]:
            count = "one value" if ARITY[name] == 1 else "two values"
            self._refuse_part(node, f"does not fit: {name} takes {count}")
        return name

    def _operation(self, node: ast.expr, name: str, operands: tuple[Node, ...]) -> Node:
        last = operands[-1]
        if name == "neg" and isinstance(last, Number):
            return Number(0.0 - last.value)  # so that the text of a negative number has one tree
        if name == "pow" and isinstance(last, Number) and abs(last.value) > MAX_EXPONENT:
            self._refuse_part(node, f"has an exponent beyond {MAX_EXPONENT} in size")
        return Operation(name, operands)
