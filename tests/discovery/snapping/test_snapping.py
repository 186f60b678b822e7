"""Curves are replaced by the formulas that they are, in numbers and in networks."""

import copy
import math

import numpy as np
import pytest
import torch
from axonlight.activations import ASH, PWLU, Formula, RationalActivation
from axonlight.discovery.snapping import (
    FormulasPerUnit,
    ShapeLibrary,
    default_library,
    snap_activations,
    snap_curve,
)
from axonlight.errors import InputError
from axonlight.models import DenseNetwork
from torch import nn
from torch.nn import functional as F

pytestmark = pytest.mark.xdist_group("snapping")  # its fixtures are made once

SMALL = ["x", "relu(x)", "sin(x)", "tanh(x)", "x*x", "x*cos(x)", "x*sigmoid(x)", "x + x*erf(x)", "x*tanh(softplus(x))"]
GRID = torch.linspace(-3, 3, 1001, dtype=torch.float64)
EXACT = {
    "gelu": F.gelu,
    "silu": F.silu,
    "x*cos(x)": lambda x: x * torch.cos(x),
    "mish": F.mish,
    "tanh": torch.tanh,
    "2*sin(0.5*x) - 1": lambda x: 2 * torch.sin(0.5 * x) - 1,
}


@pytest.fixture(scope="module")
def complete():
    """All formulas up to 6 nodes of ten operators, 16,000 shapes; the shipped default adds relu and softplus."""
    return default_library(6, ("add", "sub", "mul", "cos", "erf", "exp", "sigmoid", "sin", "tanh"))


@pytest.mark.parametrize(
    ("name", "degrees"), [("gelu", (5, 4)), ("gelu", (7, 6)), ("silu", (5, 4)), ("x*cos(x)", (5, 4))]
)
def test_a_rational_curve_that_starts_as_a_known_function_is_recognised_exactly(complete, name, degrees):
    curve = RationalActivation(name, degrees).double()
    snapped = snap_curve(curve, (-3, 3), complete)
    found = Formula(snapped.text, snapped.constants).double()
    # the curve itself is off by up to 3e-3: what comes back is the function, not the curve
    # constants are float32 parameters, the numbers of the text are not
    assert float((found(GRID) - EXACT[name](GRID)).abs().max().detach()) < 5e-7
    read = Formula(snapped.readable).double()
    assert float((read(GRID) - EXACT[name](GRID)).abs().max()) < 1e-14


@pytest.mark.parametrize("name", list(EXACT))
def test_functions_are_recovered_from_a_library(name):
    snapped = snap_curve(EXACT[name], (-3, 3), SMALL)
    assert float((Formula(snapped.readable).double()(GRID) - EXACT[name](GRID)).abs().max()) < 1e-12
    assert snapped.max_error < 1e-12


def test_gelu_needs_the_error_function_and_the_root_of_a_half():
    snapped = snap_curve(F.gelu, (-3, 3), SMALL)
    assert snapped.shape == "x + x*erf(x)"
    assert snapped.constants == {"a": math.sqrt(0.5), "c": math.sqrt(0.5)}
    assert "GELU" in snapped.known_as


def test_errors_are_those_of_the_formula_in_numbers():
    snapped = snap_curve(torch.nn.functional.elu, (-2, 2), ["x", "tanh(x)"])
    x = np.linspace(-2, 2, 4001)
    formula = Formula(snapped.text, snapped.constants, trainable=False).double()
    difference = (formula(torch.from_numpy(x)) - F.elu(torch.from_numpy(x))).numpy()
    assert snapped.max_error == pytest.approx(np.abs(difference).max(), rel=1e-6)
    assert snapped.between == pytest.approx(np.abs(np.diff(difference)).max(), rel=1e-6)
    finer = torch.linspace(-2, 2, 400_001, dtype=torch.float64)
    assert float((formula(finer) - F.elu(finer)).abs().max()) <= snapped.max_error + snapped.between / 2


def test_the_fit_is_the_least_squares_optimum_of_scipy():
    from scipy.optimize import curve_fit

    snapped = snap_curve(F.elu, (-2, 2), ["softplus(x)"], constants="all")
    x = np.linspace(-2, 2, 257)
    y = F.elu(torch.from_numpy(x)).numpy()
    best, _ = curve_fit(lambda x, a, b, c, d: c * np.logaddexp(0, a * x + b) + d, x, y, p0=(1, 0, 1, 0))
    error = np.sqrt(np.mean((best[2] * np.logaddexp(0, best[0] * x + best[1]) + best[3] - y) ** 2))
    assert snapped.error == pytest.approx(error / y.std(), rel=1e-4)
    assert sorted(snapped.constants) == ["a", "b", "c", "d"]


def test_a_dearer_node_gives_a_shorter_formula():
    cheap, dear = (snap_curve(F.gelu, (-3, 3), SMALL, gain=gain, tolerance=0.5) for gain in (1.2, 10.0))
    assert cheap.length > dear.length
    assert cheap.error < dear.error
    errors = [near.error for near in cheap.front]
    assert errors == sorted(errors, reverse=True)


def test_an_error_beyond_the_tolerance_is_not_bought_for_shortness():
    library = [*SMALL, "softplus(x)"]
    loose, close = (snap_curve(F.elu, (-2, 2), library, gain=1.6, tolerance=share) for share in (0.9, 0.05))
    assert loose.error > 0.05 > close.error
    assert loose.length < close.length


def test_the_weight_is_where_the_inputs_lie():
    # tanh for the inputs that are seen, and far from it elsewhere
    network = nn.Sequential(nn.Identity(), PWLU(20, 10.0, "tanh"))
    with torch.no_grad():
        network[1].heights[0, 14:] += 5
    rows = torch.randn(4000, 3).clamp(-3, 3)
    snapped = snap_activations(network, [rows], SMALL).snapped[0]
    assert snapped.shape == "tanh(x)"
    assert -3 <= snapped.interval[0] < -2.5
    assert snapped.coverage == 0.998


def trained_like(network: nn.Module) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(512, 4, generator=generator) for _ in range(4)]


def test_a_snapped_network_computes_the_same_and_is_built_anew_from_its_specs():
    network = DenseNetwork(4, 1, hidden=[16, 8], activation="rational(init=silu, degrees=[7, 6])", norm="layer")
    rows = trained_like(network)
    network.train()
    before = network(rows[0])
    report = snap_activations(network, rows, SMALL)
    assert [curve.path for curve in report.snapped] == ["layers.2", "layers.5"]
    assert [curve.readable for curve in report.snapped] == ["x * sigmoid(x)"] * 2
    assert network.training
    torch.testing.assert_close(network(rows[0]), before, atol=1e-4, rtol=0)
    again = DenseNetwork(4, 1, hidden=[16, 8], activation=report.specs, norm="layer")
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(rows[0]), network(rows[0]))
    assert "layers.2  x * sigmoid(x)" in str(report)


@pytest.mark.parametrize("kind", ["unit", "group"])
def test_curves_of_units_and_groups_keep_constants_of_their_own(kind):
    labels = ["a", "b", "a", "b"] if kind == "group" else None
    count = 2 if kind == "group" else 4
    module = RationalActivation("tanh", (7, 6), num_parameters=count, groups=labels)
    with torch.no_grad():
        scales = torch.arange(1, count + 1.0)
        module.numerator *= scales[:, None]
    network = nn.Sequential(nn.Identity(), copy.deepcopy(module))
    rows = torch.randn(2000, 4)
    report = snap_activations(network, [rows], SMALL)
    (snapped,) = report.snapped
    assert snapped.shape == "tanh(x)"
    assert snapped.constants["c"] == pytest.approx(scales.tolist(), rel=1e-2)
    assert snapped.units == (("a", "b") if kind == "group" else (0, 1, 2, 3))
    torch.testing.assert_close(network(rows), module(rows), atol=0.05, rtol=0)
    assert network[1].c.requires_grad
    with pytest.raises(InputError, match="differ between its units"):
        _ = report.specs


@pytest.mark.parametrize("shape", [(500, 3), (100, 5, 3), (50, 3, 2, 2)])
def test_every_curve_may_have_its_own_formula_in_every_layout(shape):
    module = PWLU(40, 5.0, "relu", num_parameters=3)
    knots = torch.linspace(-5, 5, 41)
    with torch.no_grad():
        module.heights[1], module.heights[2] = torch.sin(knots), torch.tanh(knots)
        module.left_slope[1:], module.right_slope[1:] = 0.0, 0.0
    network = nn.Sequential(nn.Identity(), module)
    rows = torch.randn(shape)
    before = network(rows)
    report = snap_activations(network, [rows], SMALL, per="curve")
    assert [curve.shape for curve in report.snapped] == ["relu(x)", "sin(x)", "tanh(x)"]
    assert isinstance(network[1], FormulasPerUnit)
    torch.testing.assert_close(network(rows), before, atol=0.02, rtol=0)


def test_rows_that_are_not_given_do_not_matter_and_nothing_else_changes():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), RationalActivation("silu"), nn.Dropout(), ASH())
    state = copy.deepcopy(network[:2].state_dict())
    network.train()
    report = snap_activations(network, [(torch.randn(64, 3), torch.zeros(64))], SMALL)
    assert all(torch.equal(value, state[name]) for name, value in network[:2].state_dict().items())
    assert [(kept.path, kept.why) for kept in report.kept] == [("4", "it has no learned curve")]
    assert not network[2]._forward_pre_hooks


def test_constant_curves_and_silent_layers_stay():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused, self.flat = RationalActivation("tanh"), PWLU(), PWLU()
            with torch.no_grad():
                self.flat.heights.fill_(1.0), self.flat.left_slope.zero_(), self.flat.right_slope.zero_()

        def forward(self, x):
            return self.flat(self.used(x))

    network = Two()
    report = snap_activations(network, [torch.randn(256, 3)], SMALL)
    assert {kept.path: kept.why for kept in report.kept} == {
        "unused": "nothing came by on these rows",
        "flat": "its curve is constant where its inputs lie",
    }
    assert [curve.path for curve in report.snapped] == ["used"]


def test_shapes_that_differ_by_an_affine_map_of_the_values_are_one():
    library = ShapeLibrary(["x", "sin(x)", "x + x", "x - x", "0.5 - 3*sin(x)", "sin(x) + x"])
    assert library.formulas == ("x", "sin(x)", "sin(x) + x")
    assert library.lengths.tolist() == [1, 2, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"per": "unit"}, "per is 'unit'; it must be 'layer' or 'curve'"),
        ({"constants": "some"}, "constants is 'some'; it must be 'needed' or 'all'"),
        ({"gain": 1.0}, "gain is 1.0; it must be larger than 1"),
        ({"resolution": 0.0}, "resolution is 0.0; it must lie between 0 and 1"),
        ({"tolerance": 1.0}, "tolerance is 1.0; it must lie between 0 and 1"),
        ({"coverage": 0.0}, "coverage is 0.0; it must lie in"),
        ({"match": "encoder.*"}, r"no learned curve at encoder.\*; train one with RationalActivation or PWLU first"),
        ({"library": ["x*cos(a*x)"]}, "the library's formula 'x.*' has the constant a"),
        ({"library": []}, "formulas is empty"),
        ({"batches": []}, "batches is empty"),
        ({"batches": [{"x": 1}]}, "a batch is a dict; it must be a tensor"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(change, message):
    network = nn.Sequential(nn.Linear(3, 2), RationalActivation())
    given = {"batches": [torch.zeros(4, 3)], "library": SMALL, **change}
    with pytest.raises(InputError, match=message) as caught:
        snap_activations(network, given.pop("batches"), given.pop("library"), **given)
    assert "\n" not in str(caught.value)
    assert isinstance(network[1], RationalActivation)


@pytest.mark.parametrize(
    ("function", "interval", "message"),
    [
        (torch.tanh, (1, 1), "interval is"),
        (torch.reciprocal, (-1, 1), "not finite"),
        (torch.ones_like, (-1, 1), "constant"),
    ],
)
def test_curves_without_a_shape_are_refused(function, interval, message):
    with pytest.raises(InputError, match=message):
        snap_curve(function, interval, SMALL)
