"""Value and slope in one run are what the formula and torch's own differentiation give."""

import pickle

import pytest
import torch
from axonlight.activations import Formula
from axonlight.activations.formula import compile_program, parse_formula
from axonlight.activations.formula.slopes import compile_slopes
from axonlight.discovery import enumerate_formulas

TEXTS = [
    "x",
    "3*x + 1",
    "-x",
    "x*cos(x)",
    "cos(x)-cos(cos(x))",
    "sin(-x)*cos(-2*x) - abs(-3*x)",
    "abs(x - 2*abs(x))",
    "x*sigmoid(1.702*x)",
    "0.5*x*(1 + erf(0.7071067811865476*x))",
    "x*tanh(exp(x)) - tanh(-x)",
    "exp(30*x)",
    "exp(-x*x)",
    "erf(-x)*relu(-2*x)",
    "max(x, 0.1*x)",
    "max(x, 0)",
    "max(0.5, -x) - min(sin(x), 0.2)",
    "min(max(x, sin(x)), cos(x))",
    "max(x, x)",
    "min(x, -abs(x))",
    "max(-x, -2*x)",
    "square(x) - neg(square(sin(x)))*2",
    "(x*x)*(x*x) - 3*(x*x)",
    "x + sin(x)*x",
    "(x + x)*(x - 2*x)",
    "sin(x) + sin(x)",
    "sin(x + cos(x - x)) - max(x - x, sin(x) + 2)",
]
POINTS = torch.cat([torch.linspace(-4, 4, 401), torch.tensor([0.0, 1e-9, 0.5, -0.5, 40.0, 100.0])]).double()


def both(text):
    """Value and slope at the points, both ways."""
    slopes = compile_slopes(compile_program(parse_formula(text)))
    x = POINTS.clone()
    found, slope = slopes.run([x, *torch.full((slopes.registers - 1, len(x)), torch.nan, dtype=x.dtype)])
    assert torch.equal(x, POINTS), "x is only read"
    slope = torch.ones_like(x) if slope is None else slope
    x.requires_grad_()
    expected = Formula(text)(x)
    derivative = torch.autograd.grad(expected.sum(), x)[0]
    return (slopes.value[0] * found, slopes.slope[0] * slope), (expected.detach(), derivative)


@pytest.mark.parametrize("text", TEXTS)
def test_they_are_those_of_the_formula(text):
    found, expected = both(text)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_every_short_formula():
    """Where nothing cancels; large terms that cancel leave rounding, which is why sizes are compared with 1."""
    skipped = 0
    for text in enumerate_formulas(6):
        if compile_slopes(compile_program(parse_formula(text))) is None:
            skipped += 1
            continue
        found, expected = both(text)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10, msg=text)
    assert skipped <= 8, "what is the same everywhere"


def test_equal_parts_are_computed_once():
    slopes = compile_slopes(compile_program(parse_formula("sin(x)*cos(x)")))
    assert sorted(step[0] for step in slopes.steps) == ["cos", "fma", "mul", "mul", "sin"]
    assert slopes.registers == 4
    assert pickle.loads(pickle.dumps(slopes)) == slopes


@pytest.mark.parametrize("text", ["a*x", "1/x", "log(x)", "softplus(x)", "x**0.5", "x - x", "cos(x - x)"])
def test_what_has_none(text):
    assert compile_slopes(compile_program(parse_formula(text))) is None
