"""Operon's engine against Operon's own values."""

import builtins

import numpy as np
import pytest
import torch
from axonlight.activations import Formula
from axonlight.discovery.engines import OperonEngine, SearchRows
from axonlight.discovery.engines import operon_engine as module
from axonlight.errors import InputError

SMALL = {"population_size": 100, "max_evaluations": 3000}
FUNCTIONS = {
    "abs": np.abs,
    "add": np.add,
    "cos": np.cos,
    "div": np.divide,
    "exp": np.exp,
    "mul": np.multiply,
    "sin": np.sin,
    "square": np.square,
    "sub": np.subtract,
    "tan": np.tan,
    "tanh": np.tanh,
    "log": lambda a: np.log(np.abs(a)),
    "sqrt": lambda a: np.sqrt(np.abs(a)),
}


@pytest.fixture(autouse=True)
def needs_operon():
    pytest.importorskip("pyoperon")


def rows_of(count=150, num_features=3, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, num_features))
    return SearchRows(x, x[:, 0] * np.cos(x[:, 1]) + 0.5 * x[:, 2], "regression")


def values_of(original, x):
    features = {f"X{index}": x[:, index] for index in range(x.shape[1])}
    return eval(original, {"__builtins__": {}}, {**FUNCTIONS, **features})


@pytest.mark.parametrize(
    "operators",
    [
        ("add", "sub", "mul", "sin", "cos", "abs"),
        ("add", "sub", "div"),
        ("mul", "sub", "exp", "tanh", "square", "tan"),
        ("add", "sub", "log", "sqrt"),
    ],
)
def test_originals_compute_what_operon_computes(operators):
    rows = rows_of()
    engine = OperonEngine(operators=operators, **SMALL)
    (problem,) = module.fitting_problems(rows, "operon", 3)
    model = engine._evolved(problem, 3)
    features = {key: f"X{index}" for index, key in enumerate(model.variables_)}
    seen = set()
    for individual in model.individuals_:
        nodes = individual.Genotype.Nodes
        if not any(node.IsVariable for node in nodes):
            continue
        with np.errstate(all="ignore"):
            ours = np.broadcast_to(values_of(module._prefix(nodes, features), rows.x), len(rows.x))
            theirs = model.evaluate_model(individual.Genotype, rows.x)
        tame = np.isfinite(ours) & (np.abs(ours) < 100)
        # float32, and formulas that amplify its rounding: nearly all points agree
        agree = np.isclose(ours[tame], theirs[tame], rtol=1e-3, atol=1e-3)
        if tame.any():
            assert agree.mean() > 0.95
        seen |= {node.Type.name for node in nodes}
    assert {module._SYMBOLS[name][1] for name in operators} <= seen


def test_the_score_is_the_squared_correlation_of_the_original():
    rows = rows_of()
    found = OperonEngine(**SMALL).propose(rows, seed=1)
    assert len(found) > 20
    for one in found[:20]:
        values = np.broadcast_to(values_of(one.original, rows.x), len(rows.x))
        assert np.corrcoef(values, rows.y)[0, 1] ** 2 == pytest.approx(one.scores["train_r2"], abs=1e-4)


def test_the_front_comes_first_and_no_candidate_is_better_and_shorter():
    found = OperonEngine(**SMALL).propose(rows_of(), seed=1)
    fits = [one.scores["train_r2"] for one in found]
    assert fits[0] == max(fits)
    front = next((place for place, fit in enumerate(fits[1:], 1) if fit > fits[place - 1]), len(fits))
    assert front >= 2
    assert fits[:front] == sorted(fits[:front], reverse=True)


def test_a_curve_of_one_variable_is_found():
    x = np.linspace(-4, 4, 400)[:, None]
    best = OperonEngine().propose(SearchRows(x, np.sin(2 * x[:, 0]), "regression"), seed=1)[0]
    values = Formula(best.formula).double()(torch.from_numpy(x[:, 0])).detach().numpy()
    assert np.corrcoef(values, np.sin(2 * x[:, 0]))[0, 1] ** 2 > 1 - 1e-6


def test_labels_are_fitted_as_numbers_one_class_against_the_rest():
    x = np.random.default_rng(0).normal(size=(200, 3))
    y = x.argmax(1)
    found = OperonEngine(**SMALL).propose(SearchRows(x, y, "multiclass"), seed=2)
    assert [one.scores["positive_class"] for one in found[:3]] == [0, 1, 2]
    for label, one in enumerate(found[:3]):
        target = (y == label).astype(float)
        assert np.corrcoef(values_of(one.original, x), target)[0, 1] ** 2 == pytest.approx(
            one.scores["train_r2"], abs=1e-4
        )


def test_whole_numbers_are_whole():
    found = OperonEngine(**SMALL, whole_numbers=True).propose(rows_of(), seed=1)
    numbers = {
        float(word)
        for one in found
        for word in one.original.replace("(", " ").replace(")", " ").replace(",", " ").split()
        if word[0] in "-0123456789"
    }
    assert numbers
    assert all(number == int(number) for number in numbers)
    assert found[0].cost["evaluations"] >= 100


def test_a_seed_has_one_result_and_another_seed_another():
    texts = [[one.original for one in OperonEngine(**SMALL).propose(rows_of(), seed)] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_provenance_and_keep():
    rows = rows_of()
    found = OperonEngine(**SMALL, keep=4).propose(rows, seed=6)
    assert len({one.formula for one in found}) == len(found) == 4
    assert {(one.engine, one.seed, one.data_hash) for one in found} == {("operon", 6, rows.data_hash)}
    assert found[0].cost["evaluations"] > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_length": 0}, "max_length is 0"),
        ({"tuning": -1}, "tuning is -1"),
        ({"operators": ["max"]}, "operators of engine operon names 'max'"),
        ({"operators": ["sigmoid"]}, "operators of engine operon names 'sigmoid'"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        OperonEngine(**arguments)


def test_without_pyoperon_one_sentence_says_how_to_install_it(monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name.startswith("pyoperon"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"pip install 'axonlight\[operon\]'"):
        OperonEngine(**SMALL).propose(rows_of(), seed=0)
