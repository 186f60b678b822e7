"""Curves of many formulas at once, and the nearest of them."""

import numpy as np
import pytest
import torch
from axonlight.activations import Formula
from axonlight.discovery import CurveTable, enumerate_formulas
from axonlight.discovery import curve_evaluation as evaluation
from axonlight.errors import InputError

pytestmark = pytest.mark.xdist_group("curve_table")  # its fixtures are made once

MIXED = [
    "x",
    "x*cos(a*x) + a",
    "x*(1 + erf(x/1.4142135))/2",
    "max(x, 0) - min(2, x)/3",
    "1/x + x/(x + 3) + log(x)*sqrt(x)",
    "2**x + x**3 - x**0.5 + (2*3)*x",
    "softplus(x) + relu(x) + sigmoid(x)*tanh(x)",
    "exp(sin(x)) + abs(x) - square(x) + neg(inv(x)) + tan(x)",
]


@pytest.mark.parametrize("text", MIXED)
def test_values_are_those_of_the_activation(text):
    points = np.linspace(-4, 4, 33)
    table = evaluation.evaluate_formulas([*MIXED, text], points)
    with torch.no_grad():
        alone = Formula(text).double()(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(table[-1], alone, rtol=1e-13, atol=1e-13)
    assert np.array_equal(table[MIXED.index(text)], table[-1])


def test_blocks_of_points_change_nothing(monkeypatch):
    formulas, points = enumerate_formulas(5), np.linspace(-3, 3, 101)
    whole = evaluation.evaluate_formulas(formulas, points)
    monkeypatch.setattr(evaluation, "_MEMORY", 8 * 200 * 7)  # seven points at a time
    np.testing.assert_allclose(evaluation.evaluate_formulas(formulas, points), whole, rtol=1e-13, atol=1e-14)


@pytest.fixture(scope="module")
def table():
    return CurveTable(enumerate_formulas(5), grid=np.linspace(-5, 5, 61))


def test_every_curve_finds_itself(table):
    for index in range(0, len(table.formulas), 7):
        near = table.nearest(table.values[index], count=3)
        assert near[0].formula == table.formulas[index]
        assert near[0].error <= 1e-12
        assert (near[0].scale, near[0].shift) == (1, 0)
        assert [item.error for item in near] == sorted(item.error for item in near)


def test_distance_is_the_weighted_root_mean_square(table):
    generator = np.random.default_rng(1)
    target, weights = np.tanh(table.grid), generator.random(61) * (table.grid > -2)
    expected = np.sqrt(np.average((table.values - target) ** 2, axis=1, weights=weights))
    near = table.nearest(target, count=8, weights=weights)
    np.testing.assert_allclose([item.error for item in near], np.sort(expected)[:8], rtol=1e-12)
    best = near[0]
    assert best.largest_error == np.abs(target - table.values[best.index])[table.grid > -2].max()


def test_affine_fit_is_least_squares(table):
    target, weights = np.exp(table.grid), np.exp(-(table.grid**2))
    root = np.sqrt(weights / weights.sum())
    for near in table.nearest(target, count=5, affine=True, weights=weights):
        columns = np.stack([table.values[near.index], np.ones(61)], 1) * root[:, None]
        solution, *_ = np.linalg.lstsq(columns, target * root, rcond=None)
        np.testing.assert_allclose([near.scale, near.shift], solution, rtol=1e-8)
        np.testing.assert_allclose(near.error, np.linalg.norm(columns @ solution - target * root), rtol=1e-8)


def test_shortest_of_equally_near_curves_comes_first():
    table = CurveTable(["x", "x*x", "x*x + x - x", "x*x*3"])
    near = table.nearest(table.grid**2 * 3 + 1, affine=True)
    assert [item.formula for item in near] == ["x*x", "x*x + x - x", "x*x*3", "x"]
    assert near[0].error < 1e-12


def test_constants_and_overflow_are_never_best_for_a_curve():
    table = CurveTable(["x - x", "exp(exp(x))**12*exp(exp(x))**12", "x"], grid=np.linspace(-1, 6, 40))
    found = table.nearest(2 * table.grid, affine=True)
    assert [item.formula for item in found] == ["x", "x - x"]
    assert found[1].scale == 0
    assert found[1].shift == pytest.approx(2 * table.grid.mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda table: CurveTable([]), "formulas is empty"),
        (lambda table: CurveTable(["x"], grid=np.array([0, np.nan])), "grid has shape"),
        (lambda table: CurveTable(["import os"]), "formula 'import os'"),
        (
            lambda table: table.nearest(np.zeros(3)),
            "values has shape .3,.; it must hold one finite number for each of the 61",
        ),
        (lambda table: table.nearest(np.full(61, np.inf)), "values has shape"),
        (lambda table: table.nearest(np.zeros(61), weights=-np.ones(61)), "weights has shape"),
        (lambda table: table.nearest(np.zeros(61), weights=np.zeros(61)), "not all 0"),
    ],
)
def test_refused_in_one_sentence(table, call, message):
    with pytest.raises(InputError, match=message):
        call(table)
