"""A formula as MathML, which browsers show without any script; written from the tree."""

from html import escape

from .tree import Constant, Node, Number, Operation

__all__ = ["to_mathml"]

_NAMED = {"erf": "erf", "relu": "ReLU", "sigmoid": "&#x3C3;", "softplus": "softplus"}
# How tightly a piece binds; a leading minus sign needs brackets inside sums and products.
_SUM, _SIGN, _PRODUCT, _POWER, _ATOM = range(1, 6)
_MINUS = "<mo>&#x2212;</mo>"
_APPLY = "<mo>&#x2061;</mo>"
_TIMES = "<mo>&#x2062;</mo>"


def to_mathml(tree: Node, function: str = "") -> str:
    """Return a tree as a MathML element for a page of HTML.

    Protected functions are written as the functions they stand for.

    Args:
        tree: The formula.
        function: Name of the function: with "f" the element begins with f(x) =.

    Example:
        >>> from axonlight.activations.formula import parse_formula, to_mathml
        >>> to_mathml(parse_formula("x**2 + 1"))
        '<math><mrow><msup><mi>x</mi><mrow><mn>2</mn></mrow></msup><mo>+</mo><mn>1</mn></mrow></math>'
    """
    left = f"<mi>{escape(function)}</mi>{_APPLY}{_brackets('<mi>x</mi>')}<mo>=</mo>" if function else ""
    return f"<math>{_row(left, _write(tree)[0])}</math>"


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _write(node: Node) -> tuple[str, int]:
    """Return markup and how tightly it binds."""
    if isinstance(node, Operation):
        return _write_operation(node)
    if isinstance(node, Constant):
        return f"<mi>{escape(node.name)}</mi>", _ATOM
    if isinstance(node, Number):
        size = f"<mn>{Number(abs(node.value))}</mn>"
        return (f"{_MINUS}{size}", _SIGN) if node.value < 0 else (size, _ATOM)
    return "<mi>x</mi>", _ATOM


def _bracketed(node: Node, least: int) -> str:
    markup, binding = _write(node)
    return markup if binding >= least else _brackets(markup)


def _brackets(markup: str) -> str:
    return _row("<mo>(</mo>", markup, "<mo>)</mo>")


def _write_operation(node: Operation) -> tuple[str, int]:
    first = node.operands[0]
    match node.name:
        case "add" | "sub":
            sign = "<mo>+</mo>" if node.name == "add" else _MINUS
            return f"{_bracketed(first, _SUM)}{sign}{_bracketed(node.operands[1], _PRODUCT)}", _SUM
        case "mul":
            return _product(first, node.operands[1])
        case "div":
            return f"<mfrac>{_row(_write(first)[0])}{_row(_write(node.operands[1])[0])}</mfrac>", _ATOM
        case "inv":
            return f"<mfrac><mn>1</mn>{_row(_write(first)[0])}</mfrac>", _ATOM
        case "neg":
            return f"{_MINUS}{_bracketed(first, _PRODUCT)}", _SIGN
        case "pow" | "square":
            exponent = _row(_write(node.operands[1])[0]) if node.name == "pow" else "<mn>2</mn>"
            return f"<msup>{_power_base(first)}{exponent}</msup>", _POWER
        case "sqrt":
            return f"<msqrt>{_write(first)[0]}</msqrt>", _ATOM
        case "abs":
            return _row("<mo>|</mo>", _write(first)[0], "<mo>|</mo>"), _ATOM
    arguments = "<mo>,</mo>".join(_write(operand)[0] for operand in node.operands)
    return f"<mi>{_NAMED.get(node.name, node.name)}</mi>{_APPLY}{_brackets(arguments)}", _ATOM


def _power_base(node: Node) -> str:
    markup, binding = _write(node)
    plain = binding == _ATOM and (not isinstance(node, Operation) or node.name == "abs")
    return markup if plain else _brackets(markup)


def _product(left: Node, right: Node) -> tuple[str, int]:
    first, second = _bracketed(left, _SIGN), _bracketed(right, _PRODUCT)
    # A number to the right of anything would read as part of it; a name beside a name is a product.
    sign = "<mo>·</mo>" if second.removeprefix("<msup>").startswith("<mn>") else _TIMES
    return f"{first}{sign}{second}", _SIGN if first.startswith(_MINUS) else _PRODUCT
