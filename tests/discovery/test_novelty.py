"""Known activations are recognised in other words; new ones are not."""

import gc

import numpy as np
import pytest
import torch
from axonlight.activations import Activation, GrowingCosine, Snake
from axonlight.activations.specs.registry import activation_names
from axonlight.discovery import Candidate, enumerate_formulas, known_as
from axonlight.discovery.known_functions import known_functions
from axonlight.errors import InputError


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("cos(x)*x", "GrowingCosine"),
        ("max(x, 0)", "ReLU"),
        ("(x + abs(x))/2", "ReLU"),
        ("x*(1 + erf(x*0.7071067811865476))/2", "GELU"),
        ("x*sigmoid(x)", "SiLU"),
        ("x*tanh(softplus(x))", "Mish"),
        ("x + sin(x)*sin(x)", "Snake"),
        ("x + 0*x", "Identity"),
        ("log(exp(x) + 1)", "Softplus"),
        ("x*tanh(exp(x))", "TeLU"),
    ],
)
def test_exact_ones(formula, name):
    found = known_as(formula)
    assert found is not None
    assert name in found
    assert ":" not in found  # no relation: the function itself


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("2*x*cos(x) + 1", "(GrowingCosine), scaled and shifted: 2 * f(x) + 1"),
        ("x*cos(3*x)", "(GrowingCosine), scaled: 0.33333 * f(3 * x)"),
        ("0 - x*sigmoid(0 - x)", "(SiLU), reflected: f(-x)"),
        ("x*sigmoid(1.702*x)", "(SiLU), scaled: 0.58754 * f(1.702 * x)"),
        ("relu(1 - x)", "(ReLU), reflected and shifted: f(-x + 1)"),
        ("2*sigmoid(2*x) + 1", "(Tanh), shifted: f(x) + 2"),
        ("cos(x)", "(sin(x)), shifted: f(x + 1.5708)"),
        ("2*x*x + x", "(x*x), scaled and shifted: 2 * f(x + 0.25) - 0.125"),
        ("x - 2", "(Identity), shifted: f(x) - 2"),
    ],
)
def test_relatives(formula, said):
    assert known_as(formula).endswith(said)


def test_the_relation_that_is_said_holds():
    # sin x - x is a Snake: (1 - cos 2y)/2 = sin(y)^2. What known_as says is checked with the module itself.
    found = known_as("sin(x) - x")
    before, _, relation = found.partition(": ")
    assert "Snake" in before
    expression = relation.replace("f(", "snake(")
    points = np.linspace(-5, 5, 101)
    module = Snake().double()

    def snake(values):
        return module(torch.from_numpy(values)).detach().numpy()

    said = eval(expression, {"snake": snake, "x": points})  # our own text, of numbers with 5 digits
    np.testing.assert_allclose(said, np.sin(points) - points, atol=1e-3)


@pytest.mark.parametrize("formula", ["cos(x) - cos(cos(x))", "x*cos(x) - x - x", "sin(abs(x))", "exp(x*x)", "x*x*x"])
def test_new_ones(formula):
    assert known_as(formula) is None


def test_a_constant_is_said_to_be_one():
    assert known_as("cos(x - x) + 1") == "this is a constant, 2"


def test_constants_of_a_candidate_count():
    assert "0.5 * f(2 * x)" in known_as(Candidate.from_text("x*cos(a*x)", engine="control", constants={"a": 2.0}))
    assert known_as(Candidate.from_text("x*cos(a*x)", engine="control")).endswith("(GrowingCosine)")


def test_every_known_function_knows_itself_and_is_elementwise():
    for known in known_functions():
        points = np.linspace(-4, 4, 24).reshape(4, 6)
        np.testing.assert_allclose(known.curve(points)[1:2, 2:3], known.curve(points[1:2, 2:3]), atol=1e-12)
    names = {known.name for known in known_functions()}
    assert {"ASH", "LayerAct", "Softmax", "PWLU", "RationalActivation", "Formula"}.isdisjoint(names)
    curve = next(known.curve for known in known_functions() if known.name == "GrowingCosine")
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    assert np.array_equal(curve(x.numpy()), GrowingCosine()(x).numpy())


def test_a_users_class_is_not_called_known():
    class TimesTangent(Activation):  # found by name in a spec, but no published activation
        def forward(self, x):
            return x * torch.tan(x)

    try:
        assert "TimesTangent" in activation_names()
        assert "TimesTangent" not in {known.name for known in known_functions.__wrapped__()}
    finally:
        del TimesTangent
        gc.collect()  # the registry sees every class that lives


def test_known_ones_among_the_shortest():
    found = {text for text in enumerate_formulas(3) if known_as(text) is None}
    assert found == {
        "sin(sin(x))",
        "sin(cos(x))",
        "sin(abs(x))",
        "cos(sin(x))",
        "cos(cos(x))",
        "abs(sin(x))",
        "abs(cos(x))",
    }


def test_no_formula_is_refused():
    with pytest.raises(InputError, match=r"formula 'x\.real'"):
        known_as("x.real")
