"""Numeric gate: Gaussian moments in closed form, normalisation, and what is let through."""

import math

import pytest
import torch
from axonlight.activations import Formula
from axonlight.activations.formula import check_formula, check_function, gaussian_moments
from axonlight.errors import InputError
from scipy.integrate import quad

ROOT_E = math.exp(0.5)
MOMENTS = {  # E[f], E[f^2], E[f'^2] for X ~ N(0, 1)
    "x": (0, 1, 1),
    "2*x**2 + x": (2, 13, 17),
    "x**3": (0, 15, 27),
    "cos(x)": (1 / ROOT_E, (1 + math.exp(-2)) / 2, (1 - math.exp(-2)) / 2),
    "exp(x)": (ROOT_E, math.exp(2), math.exp(2)),
    "3*x + 2": (2, 13, 9),
    "x*0.5 + erf(x)*0": (0, 0.25, 0.25),
}


@pytest.mark.parametrize("text", MOMENTS)
def test_moments_match_the_closed_form(text):
    gate = check_formula(text)
    assert (gate.mean, gate.second, gate.slope) == pytest.approx(MOMENTS[text], rel=1e-9, abs=1e-9)


def test_moments_of_kinks_are_good_to_a_thousandth():
    moments = gaussian_moments(torch.relu)
    assert moments.mean.item() == pytest.approx(1 / math.sqrt(2 * math.pi), abs=2e-3)
    assert moments.second.item() == pytest.approx(0.5, abs=1e-9)
    assert moments.slope.item() == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("text", ["2*x**2 + x", "x*cos(a*x)", "tanh(x) + 3", "exp(x)", "softplus(x)", "1e-3*x + 5"])
def test_normalize_gives_mean_zero_and_unit_second_moment(text):
    formula = Formula(text, normalize=True)

    def integral(power):
        def weighted(x):
            value = formula(torch.tensor(x, dtype=torch.float64)).item()
            return value**power * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

        return quad(weighted, -12, 12, limit=200)[0]

    # The shift and scale are stored in float32.
    assert integral(1) == pytest.approx(0, abs=1e-3)
    assert integral(2) == pytest.approx(1, rel=1e-4)


def test_normalisation_is_a_fixed_part_of_the_state():
    formula = Formula("2*x**2 + a*x", normalize=True)
    assert [name for name, _ in formula.named_parameters()] == ["a"]
    assert set(formula.state_dict()) == {"a", "output_shift", "output_scale", "_extra_state"}
    restored = Formula("2*x**2 + a*x", constants={"a": 5.0}, normalize=True)
    restored.load_state_dict(formula.state_dict())
    x = torch.randn(10)
    assert torch.equal(restored(x), formula(x))


def test_normalize_per_unit_uses_each_units_constants():
    formula = Formula("a*x + b", constants={"a": [1.0, 4.0], "b": [0.0, 3.0]}, num_parameters=2, normalize=True)
    torch.testing.assert_close(formula.output_shift, torch.tensor([0.0, 3.0]))
    torch.testing.assert_close(formula.output_scale, torch.tensor([1.0, 0.25]))
    x = torch.randn(5, 2)
    torch.testing.assert_close(formula(x), x)


def test_normalize_without_constants_takes_any_width():
    formula = Formula("x + 1", normalize=True, num_parameters=3, groups=["a", "b", "c", "a"])
    x = torch.randn(2, 7)
    torch.testing.assert_close(formula(x), x)


@pytest.mark.parametrize("text", ["0*x", "0*x + 5", "x**0", "x - x + a", "cos(0*x)"])
def test_constant_functions_cannot_be_normalized(text):
    with pytest.raises(InputError, match="constant under N"):
        Formula(text, normalize=True)


def test_infinite_moments_cannot_be_normalized():
    formula = "x" + "*x**16" * 2 + "*exp(exp(x))" * 20
    with pytest.raises(InputError, match="not finite"):
        Formula(formula, normalize=True)


GROWTH = {"x": 1, "x**2": 2, "x*cos(x)": 1, "cos(x)": 0, "relu(x)": 1, "sqrt(x)": 0.5, "tanh(x)": 0, "0*x": 0}


@pytest.mark.parametrize("text", GROWTH)
def test_growth_exponent(text):
    gate = check_formula(text)
    assert gate.growth == pytest.approx(GROWTH[text], abs=0.05)
    assert gate.passed
    assert gate.reasons == ()


@pytest.mark.parametrize("text", ["cos(x) - cos(cos(x))", "2*x**2 + x", "3*x + sin(x)", "x*cos(x)", "x*tanh(exp(x))"])
def test_published_formulas_pass(text):
    assert check_formula(text).passed


REFUSED = {
    "exp(x)": "grows like",
    "x**4": "grows like",
    "x**16": "not finite in float32 at x = -1000",
    "inv(x)": "slope reaches 1e+06 at x = 0",
    "exp(x)**8": "not finite",
}


@pytest.mark.parametrize("text", REFUSED)
def test_unfit_formulas_are_refused_with_the_reason(text):
    gate = check_formula(text)
    assert not gate.passed
    assert any(REFUSED[text] in reason for reason in gate.reasons), gate.reasons


def test_limits_can_be_set():
    assert check_formula("x**4", max_growth=5).passed
    assert not check_formula("x**2", max_growth=1).passed
    assert not check_formula("3*x", max_slope=2).passed


def test_nan_derivatives_are_found():
    gate = check_function(lambda x: torch.where(x > 0, torch.sqrt(x), 0.0))
    assert "derivative not finite in float32 at x = -10" in gate.reasons


def test_bfloat16_overflow_of_the_function_itself_is_found():
    gate = check_function(lambda x: x * 1e37 * 1e-37 if x.dtype == torch.bfloat16 else x)
    assert gate.reasons == ("not finite in bfloat16 at x = -1000",)


def test_gate_sees_the_present_constants_of_every_unit():
    formula = Formula("x**2*a", constants={"a": [1.0, 2.0]}, num_parameters=2)
    assert formula.gate().second == pytest.approx(12)
    with torch.no_grad():
        formula.a[1] = 3.0
    assert formula.gate().second == pytest.approx(27)


def test_gate_of_grouped_units():
    formula = Formula("a*x", constants={"a": [1.0, 2.0]}, num_parameters=2, groups=["p", "q", "p"])
    assert formula.gate().slope == pytest.approx(4)
