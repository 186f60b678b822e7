"""Formulas as MathML: well-formed, and with brackets wherever the meaning needs them."""

from xml.etree import ElementTree as ET

import pytest
import sympy
from axonlight.activations.formula import parse_formula, to_mathml
from axonlight.activations.formula.operators import ARITY
from sympy.parsing.sympy_parser import implicit_multiplication_application, parse_expr, standard_transformations

ENTITIES = {"\u2061": "", "\u2062": "*", "\u2212": "-", "·": "*"}
FORMULAS = [
    "x*cos(x)", "x - (x - 1)", "(x + 1)*(x - 2)", "-x**2", "(-x)**2", "2*x**3", "x*2", "x/(x*x + 1)", "-(x + 1)*x",
    "x - (-1)*x", "abs(x)*x", "abs(x)**3", "sqrt(x*x + 1)", "exp(x)**2", "x*(-2)", "sin(x + x)*cos(x)/2", "inv(x)*x",
    "(x*x)**2", "2**x", "x*2**x", "x + -1", "square(sin(x))", "neg(neg(x))", "(x - 1)/(x + 1) - x/2",
]  # fmt: skip


def as_text(node):
    """Read MathML as infix text, by what the elements mean."""
    parts = [as_text(child) for child in node]
    match node.tag:
        case "mfrac":
            return f"(({parts[0]})/({parts[1]}))"
        case "msup":
            return f"({parts[0]})**({parts[1]})"
        case "msqrt":
            return f"sqrt({''.join(parts)})"
        case "mi" | "mn" | "mo":
            text = node.text or ""
            return ENTITIES.get(text, text)
    text = "".join(parts)
    if text.startswith("|") and text.endswith("|"):
        return f"Abs({text[1:-1]})"
    return text


@pytest.mark.parametrize("text", FORMULAS)
def test_what_is_shown_is_what_was_meant(text):
    shown = as_text(ET.fromstring(to_mathml(parse_formula(text))))
    x = sympy.Symbol("x", real=True)
    names = {"x": x, "inv": lambda u: 1 / u, "neg": lambda u: -u, "square": lambda u: u**2, "abs": sympy.Abs}
    rules = (*standard_transformations, implicit_multiplication_application)
    expected, found = parse_expr(text, names), parse_expr(shown, {"x": x}, rules)
    assert sympy.simplify(expected - found) == 0, shown


@pytest.mark.parametrize("name", sorted(ARITY))
def test_every_function_is_well_formed(name):
    arguments = ["x", "2"][: ARITY[name]]
    element = ET.fromstring(to_mathml(parse_formula(f"{name}({', '.join(arguments)})"), function="f"))
    assert element.tag == "math"
    assert "".join(element.itertext()).startswith("f\u2061(x)=")


def test_constants_by_name():
    assert "<mi>alpha</mi>" in to_mathml(parse_formula("x*cos(alpha*x)"))
