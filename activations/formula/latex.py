"""A formula as LaTeX, written from the tree."""

import re

from .tree import Constant, Node, Number, Operation

__all__ = ["to_latex"]

_GREEK = re.compile("alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega")
_NAMED = {
    "cos": r"\cos",
    "erf": r"\operatorname{erf}",
    "exp": r"\exp",
    "log": r"\log",
    "max": r"\max",
    "min": r"\min",
    "relu": r"\operatorname{ReLU}",
    "sigmoid": r"\sigma",
    "sin": r"\sin",
    "softplus": r"\operatorname{softplus}",
    "tan": r"\tan",
    "tanh": r"\tanh",
}
# How tightly a piece of text binds; a leading minus sign needs brackets inside sums and products.
_SUM, _SIGN, _PRODUCT, _POWER, _ATOM = range(1, 6)


def to_latex(tree: Node) -> str:
    r"""Return a tree as LaTeX for math mode.

    Protected functions are written as the functions they stand for.

    Example:
        >>> from axonlight.activations.formula import parse_formula, to_latex
        >>> to_latex(parse_formula("x*cos(a*x)/(1 + x**2)"))
        '\\frac{x \\cos\\left(a x\\right)}{1 + x^{2}}'
    """
    return _write(tree)[0]


def _write(node: Node) -> tuple[str, int]:
    """Return LaTeX and how tightly it binds."""
    if isinstance(node, Operation):
        return _write_operation(node)
    if isinstance(node, Constant):
        return _name(node.name), _ATOM
    if isinstance(node, Number):
        return _number(node.value)
    return "x", _ATOM


def _number(value: float) -> tuple[str, int]:
    digits, _, exponent = str(Number(value)).partition("e")
    text = rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits
    binding = _PRODUCT if exponent else _ATOM
    return text, _SIGN if value < 0 else binding


def _name(name: str) -> str:
    letters, digits = re.fullmatch(r"([a-z]+)([a-z0-9]*)", name).groups()  # type: ignore[union-attr]
    stem = letters if len(letters) == 1 else rf"\mathrm{{{letters}}}"
    if _GREEK.fullmatch(letters):
        stem = "\\" + letters
    return f"{stem}_{{{digits}}}" if digits else stem


def _bracketed(node: Node, least: int) -> str:
    text, binding = _write(node)
    return text if binding >= least else rf"\left({text}\right)"


def _write_operation(node: Operation) -> tuple[str, int]:
    first = node.operands[0]
    match node.name:
        case "add":
            return f"{_bracketed(first, _SUM)} + {_bracketed(node.operands[1], _PRODUCT)}", _SUM
        case "sub":
            return f"{_bracketed(first, _SUM)} - {_bracketed(node.operands[1], _PRODUCT)}", _SUM
        case "mul":
            return _product(first, node.operands[1])
        case "div":
            return rf"\frac{{{to_latex(first)}}}{{{to_latex(node.operands[1])}}}", _ATOM
        case "inv":
            return rf"\frac{{1}}{{{to_latex(first)}}}", _ATOM
        case "neg":
            return f"-{_bracketed(first, _PRODUCT)}", _SIGN
        case "pow" | "square":
            exponent = to_latex(node.operands[1]) if node.name == "pow" else "2"
            return f"{_power_base(first)}^{{{exponent}}}", _POWER
        case "sqrt":
            return rf"\sqrt{{{to_latex(first)}}}", _ATOM
        case "abs":
            return rf"\left|{to_latex(first)}\right|", _ATOM
    arguments = ", ".join(to_latex(operand) for operand in node.operands)
    return rf"{_NAMED[node.name]}\left({arguments}\right)", _ATOM


def _power_base(node: Node) -> str:
    text, binding = _write(node)
    plain = binding == _ATOM and (not isinstance(node, Operation) or node.name == "abs")
    return text if plain else rf"\left({text}\right)"


def _product(left: Node, right: Node) -> tuple[str, int]:
    first, second = _bracketed(left, _SIGN), _bracketed(right, _PRODUCT)
    # A number to the right of anything would read as part of it.
    text = rf"{first} \cdot {second}" if second[0].isdigit() else f"{first} {second}"
    return text, _SIGN if text.startswith("-") else _PRODUCT
