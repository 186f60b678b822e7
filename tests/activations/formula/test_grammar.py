"""The grammar: what it reads, what it refuses, and that canonical text keeps the tree."""

import warnings

import numpy as np
import pytest
import torch
from axonlight.activations import Formula
from axonlight.activations.formula import (
    Constant,
    Node,
    Number,
    Operation,
    Variable,
    compile_program,
    constant_names,
    count_nodes,
    parse_formula,
    to_latex,
    to_prefix,
)
from axonlight.activations.formula.operators import ARITY
from axonlight.errors import InputError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

X = np.linspace(-3, 3, 61)

READ = {
    "x*cos(x)": lambda x: x * np.cos(x),
    "2*x**2 + x": lambda x: 2 * x**2 + x,
    "cos(x) - cos(cos(x))": lambda x: np.cos(x) - np.cos(np.cos(x)),
    "3*x + sin(x)": lambda x: 3 * x + np.sin(x),
    "mul(cos(X0), X0)": lambda x: x * np.cos(x),
    "add(mul(2, square(X17)), X17)": lambda x: 2 * x**2 + x,
    "sub(neg(x), -0.5) * max(x, 0.25)": lambda x: (-x + 0.5) * np.maximum(x, 0.25),
    "-x**2": lambda x: -(x**2),
    "(-x)**2": lambda x: x**2,
    "-2**2 + x": lambda x: -4 + x,
    "x - 1 - 2": lambda x: x - 3,
    "x - (1 - 2)": lambda x: x + 1,
    "x/2/4": lambda x: x / 8,
    "x/(2/4)": lambda x: x * 2,
    "2**3**2*x/512": lambda x: x,
    "+x + +1": lambda x: x + 1,
    "x*1e-1 + .5 + 1.": lambda x: 0.1 * x + 1.5,
    " x\n +  1\t": lambda x: x + 1,
    "pow(x, 3)": lambda x: x**3,
    "x**(1 + 2)": lambda x: x**3,
    "sqrt(4)*x + log(1) + 8**0.5": lambda x: 2 * x + np.sqrt(8),
    "max(0.5, x) + min(x, 1) - min(2, x)": lambda x: np.maximum(0.5, x) + np.minimum(x, 1) - np.minimum(2, x),
    "1 - x": lambda x: 1 - x,
    "a*x + b": lambda x: x + 1,
}

REFUSED = {
    "": "empty",
    " \n ": "empty",
    "1 + 2": "does not contain x",
    "a*b": "does not contain x",
    "x.real": "attribute",
    "x[0]": "'['",
    "lambda: x": "':'",
    "x*lambda": "word of Python",
    "sin(x for x in x)": "GeneratorExp",
    "[x for x in x]": "'['",
    "sin(x=1)": "'='",
    "sin('x')": '"\'"',
    'sin("x")': "'\"'",
    "f'{x}'": '"\'"',
    "sin(*x)": "'*x'",
    "(x:=1)": "':'",
    "x < 1": "'<'",
    "x == 1": "'='",
    "x if x else x": "IfExp",
    "x and x": "BoolOp",
    "not x": "'not x'",
    "await x": "'await x'",
    "(yield)": "Yield",
    "x @ x": "'@'",
    "x % 2": "'%'",
    "x // 2": "'x // 2'",
    "x ^ 2": "write **",
    "~x": "'~'",
    "x, x": "Tuple",
    "x; x": "';'",
    "x # x": "'#'",
    "x\\\n": "'\\\\'",
    "x\0": "'\\x00'",
    "x x": "cannot be read",
    "x +": "cannot be read",
    "sin(x": "cannot be read",
    "sin(x))": "cannot be read",
    "2x": "cannot be read",
    "__import__(x)": "'_'",
    "x*_": "'_'",
    "x_1": "'_'",
    "1_000*x": "'_'",
    "\uff53in(x)": "'\\uff53'",
    "\u0445": "'\\u0445'",  # Cyrillic
    "x\xb2": "'\\xb2'",
    "\ufb01*x": "'\\ufb01'",
    "x\u200b": "'\\u200b'",
    "True*x": "'True'",
    "None*x": "'None'",
    "...*x": "'...'",
    "1j*x": "'1j'",
    "0x10*x": "'0x10'",
    "0b1*x": "'0b1'",
    "1e999*x": "too large",
    "1000001*x": "too large",
    "x/0": "divides by zero",
    "x/(1 - 1)": "divides by zero",
    "log(0)*x": "finite",
    "inv(0)*x": "finite",
    "exp(20)*x": "at most 1e+06",
    "9**9**9*x": "'9**9'",
    "x**9**9": "'9**9'",
    "x**17": "exponent",
    "x**-17": "exponent",
    "x**16.5": "exponent",
    "x**(4*5)": "exponent",
    "pow(x, 17)": "exponent",
    "sine(x)": "nearest are sin",
    "eval(x)": "is not a function",
    "x(x)": "is not a function",
    "a(x)": "is not a function",
    "sin(x)(x)": "cannot be called",
    "x.sin(x)": "cannot be called",
    "sin*x": "is a function",
    "sin()": "takes one value",
    "sin(x, x)": "takes one value",
    "add(x)": "takes two values",
    "max(x, 1, 2)": "takes two values",
    "pi*x": "3.1415927",
    "A*x": "'A'",
    "X*x": "'X'",
    "xY*x": "'xY'",
    "X0*X3": "(X0, X3)",
    "x*X0": "(X0, x)",
    "-" * 1500 + "x": "64 levels",
    "(" * 500 + "x" + ")" * 500: "cannot be read",
    "(" * 10_000 + "x" + ")" * 10_000: "2000 are allowed",
    "sin(" * 70 + "x" + ")" * 70: "64 levels",
    "+".join("x" * 70): "64 levels",
}


@pytest.mark.parametrize("text", READ)
def test_reads_infix_and_prefix(text):
    expected = READ[text](X)
    result = Formula(text)(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("text", REFUSED)
def test_refuses_with_one_line_that_names_the_part(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            Formula(text)
    message = str(caught.value)
    assert REFUSED[text] in message
    assert "\n" not in message
    assert message.isascii()
    assert len(message) < 400


@pytest.mark.parametrize("text", [None, 3, b"x", ["x"], {"text": "x"}])
def test_refuses_what_is_not_text(text):
    with pytest.raises(InputError, match="must be text"):
        Formula(text)


def test_syntax_warnings_of_python_do_not_leak():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in ("1if x else x", "0x1for x in x", "1(x)", "x*1or 2"):
            with pytest.raises(InputError):
                parse_formula(text)
    assert not caught


def test_node_limit():
    wide = "x"
    while count_nodes(parse_formula(wide)) < 250:
        wide = f"({wide})+({wide})"
    with pytest.raises(InputError, match="nodes; at most 500"):
        parse_formula(f"({wide})*({wide})")


def test_collapse_reads_all_features_as_the_variable():
    collapsed = Formula("mul(cos(X0), X3)", collapse=True)
    assert str(collapsed.tree) == "cos(x) * x"
    assert Formula("X3*2").tree == parse_formula("x*2")


def test_names_and_counts():
    tree = parse_formula("b*x + a*sin(b*x)")
    assert constant_names(tree) == ("b", "a")
    assert count_nodes(tree) == 10
    published = {"cos(x) - cos(cos(x))": 6, "x*(x + x) + x": 7, "x + x + x + sin(x)": 8}
    assert {text: count_nodes(parse_formula(text)) for text in published} == published


def _joined(name, operands):
    last = operands[-1]
    if name == "neg" and isinstance(last, Number):
        return Number(0.0 - last.value)
    return Operation(name, operands)


_LEAVES = st.one_of(
    st.just(Variable()),
    st.sampled_from(["a", "b", "beta", "w1"]).map(Constant),
    st.floats(-1e6, 1e6).map(lambda value: Number(value + 0.0)),
    st.integers(-20, 20).map(lambda value: Number(float(value))),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        *(
            st.tuples(*[inner] * arity).map(lambda operands, name=name: _joined(name, operands))
            for name, arity in ARITY.items()
        )
    ),
    max_leaves=20,
)


def _valid(tree: Node) -> Node:
    tree = Operation("add", (tree, Variable()))
    try:
        compile_program(tree)
    except InputError:
        assume(False)  # a number part beyond the limits
    return tree


@settings(max_examples=400, deadline=None)
@given(_TREES)
def test_canonical_text_and_prefix_parse_back_to_the_same_tree(tree):
    tree = _valid(tree)
    assert parse_formula(str(tree)) == tree
    assert parse_formula(to_prefix(tree)) == tree
    assert str(parse_formula(str(tree))) == str(tree)


@settings(max_examples=100, deadline=None)
@given(_TREES)
def test_latex_is_balanced(tree):
    text = to_latex(tree)
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") == text.count(r"\right")


LATEX = {
    "x*cos(a*x)": r"x \cos\left(a x\right)",
    "x/(1 + x**2)": r"\frac{x}{1 + x^{2}}",
    "2*x**2 + x": r"2 x^{2} + x",
    "x*2": r"x \cdot 2",
    "x - -1": r"x - \left(-1\right)",
    "x - (a - b)": r"x - \left(a - b\right)",
    "-(x + 1)*beta2": r"-\left(x + 1\right) \beta_{2}",
    "(-x)**2": r"\left(-x\right)^{2}",
    "cos(x)**2": r"\left(\cos\left(x\right)\right)^{2}",
    "sqrt(abs(x))": r"\sqrt{\left|x\right|}",
    "inv(x)*rate": r"\frac{1}{x} \mathrm{rate}",
    "1e-5*x": r"1 \cdot 10^{-5} x",
    "relu(x) + sigmoid(x)": r"\operatorname{ReLU}\left(x\right) + \sigma\left(x\right)",
    "square(x + 1)": r"\left(x + 1\right)^{2}",
    "max(x, 0)": r"\max\left(x, 0\right)",
}


@pytest.mark.parametrize("text", LATEX)
def test_latex(text):
    assert Formula(text).latex() == LATEX[text]
