"""gplearn's engine against gplearn itself, called as the published code calls it."""

import builtins

import numpy as np
import pytest
import torch
from axonlight.activations import Formula
from axonlight.activations.formula import check_function
from axonlight.datamodules import BreastCancer, Spambase
from axonlight.discovery import Candidate
from axonlight.discovery.engines import GplearnEngine, SearchRows, search_rows
from axonlight.errors import InputError
from gplearn.genetic import SymbolicClassifier, SymbolicRegressor
from sklearn.preprocessing import StandardScaler

OPERATORS = ["add", "sub", "mul", "sin", "cos", "abs"]
X = torch.linspace(-4, 4, 301, dtype=torch.float64)


def published_search(x, y, seed):
    """Do what the published code does, in its order, on all rows."""
    np.random.seed(seed)  # noqa: NPY002  (the published code draws from the legacy stream)
    drawn = np.random.choice(len(x), int(0.1 * len(x)), replace=False)  # noqa: NPY002
    scaled = StandardScaler().fit_transform(x[drawn])
    model = SymbolicClassifier(generations=5, population_size=500, function_set=OPERATORS, random_state=seed)
    return model.fit(scaled, y[drawn])


def collapsed_values(program, num_features):
    """Let gplearn compute a program whose features all are x."""
    return program.execute(np.repeat(X.numpy()[:, None], num_features, axis=1))


def formula_values(candidate, protect="smooth"):
    return Formula(candidate.formula, protect=protect).double()(X).detach().numpy()


def rows_of(classes, count=90, num_features=3, seed=0):
    generator = np.random.default_rng(seed)
    return SearchRows(generator.normal(size=(count, num_features)), np.arange(count) % classes, "multiclass")


SMALL = {"population_size": 30, "generations": 2, "sample": None, "standardize": False}


def test_defaults_are_the_published_search_bit_for_bit():
    generator = np.random.default_rng(3)
    x = generator.normal(2.0, 3.0, size=(1500, 6))
    y = (np.sin(x[:, 0]) + x[:, 3] > 2).astype(int)
    published = published_search(x, y, seed=7)
    found = GplearnEngine().propose(SearchRows(x, y, "binary"), seed=7)
    assert found[0].scores == {"train_log_loss": published._program.raw_fitness_}
    assert np.array_equal(formula_values(found[0]), collapsed_values(published._program, 6))
    assert found[0].cost["evaluations"] == 2500
    assert found[0].cost["seconds"] > 0


def test_spambase_with_the_leak_and_seed_42_gives_the_published_curve(data_root):
    data = Spambase(root=str(data_root), split_seed=42, val_fraction=0.0, stratify=False)
    rows = search_rows(data, leak=True)
    assert rows.x.shape == (4601, 57)
    best = GplearnEngine(keep=1).propose(rows, seed=42)[0]
    # the text of arXiv 2601.10740 gives no formula; its figure shows this curve
    assert np.allclose(formula_values(best), 3 * X.numpy() + np.sin(X.numpy()), rtol=1e-14, atol=0)
    assert best.original.count("X51") == 2


def test_every_candidate_computes_what_its_program_computes():
    rows = rows_of(2)
    model = SymbolicClassifier(population_size=60, generations=3, function_set=OPERATORS, random_state=5)
    programs = {str(p): p for p in model.fit(rows.x, rows.y)._programs[-1]}
    found = GplearnEngine(60, 3, sample=None, standardize=False).propose(rows, seed=5)
    assert len(found) > 10
    for candidate in found:
        # by fitness: gplearn's text is rounded to three digits, ours is not
        same = [p for p in programs.values() if p.raw_fitness_ == candidate.scores["train_log_loss"]]
        assert any(np.allclose(formula_values(candidate), collapsed_values(p, 3), rtol=1e-12, atol=1e-12) for p in same)


@pytest.mark.parametrize("operator", ["div", "inv", "log", "max", "min", "neg", "sqrt", "tan"])
def test_functions_of_gplearn_are_exact_in_its_own_protection(operator):
    rows = rows_of(2, seed=1)
    functions = ["add", operator]
    model = SymbolicClassifier(population_size=30, generations=2, function_set=functions, random_state=2)
    programs = model.fit(rows.x, rows.y)._programs[-1]
    found = GplearnEngine(operators=functions, **SMALL).propose(rows, seed=2)
    assert any(f"{operator}(" in one.original for one in found)
    for one in found:
        values = formula_values(one, "gplearn")
        same = [p for p in programs if p.raw_fitness_ == one.scores["train_log_loss"]]
        assert any(np.allclose(values, collapsed_values(p, 3), rtol=1e-9, atol=1e-9) for p in same)


def test_functions_that_gplearn_lacks_are_those_of_the_grammar():
    names = ["erf", "exp", "relu", "sigmoid", "softplus", "square", "tanh", "mul"]
    rows = SearchRows(np.linspace(-2, 2, 60)[:, None], np.tanh(np.linspace(-2, 2, 60)), "regression")
    found = GplearnEngine(200, 2, names, sample=None, standardize=False).propose(rows, seed=0)
    used = {name for name in names for one in found if f"{name}(" in one.original}
    assert used == set(names)
    for one in found[:50]:
        seen = torch.from_numpy(rows.x[:, 0])
        error = (Formula(one.formula).double()(seen) - torch.from_numpy(rows.y)).abs().mean().item()
        assert error == pytest.approx(one.scores["train_mean_absolute_error"], rel=1e-6, abs=1e-9)


def test_a_regression_is_gplearns_regressor():
    rows = SearchRows(np.linspace(-4, 4, 200)[:, None], np.cos(np.linspace(-4, 4, 200)), "regression")
    model = SymbolicRegressor(population_size=30, generations=2, function_set=OPERATORS, random_state=9)
    best = model.fit(rows.x, rows.y)._program
    found = GplearnEngine(**SMALL).propose(rows, seed=9)
    assert found[0].scores == {"train_mean_absolute_error": best.raw_fitness_}


def test_more_classes_run_one_against_the_rest():
    x = np.random.default_rng(0).normal(size=(90, 3))
    rows = SearchRows(x, x.argmax(1), "multiclass")
    found = GplearnEngine(**SMALL).propose(rows, seed=4)
    assert [one.scores["positive_class"] for one in found[:3]] == [0, 1, 2]
    model = SymbolicClassifier(population_size=30, generations=2, function_set=OPERATORS, random_state=4)
    best = model.fit(rows.x, rows.y == 1)._program
    assert found[1].scores["train_log_loss"] == best.raw_fitness_


def test_candidates_are_distinct_ranked_and_say_where_they_come_from():
    rows = rows_of(2)
    found = GplearnEngine(**SMALL).propose(rows, seed=4)
    losses = [one.scores["train_log_loss"] for one in found]
    assert losses == sorted(losses)
    assert len({one.formula for one in found}) == len(found)
    assert {(one.engine, one.seed, one.data_hash) for one in found} == {("gplearn", 4, rows.data_hash)}
    assert all(isinstance(one, Candidate) and "x" in one.formula and "X" in one.original for one in found)
    kept = GplearnEngine(**SMALL, keep=3).propose(rows, seed=4)
    assert [one.formula for one in kept] == [one.formula for one in found[:3]]


def test_a_seed_has_one_result_and_another_seed_another():
    rows = rows_of(2, count=400)
    engine = GplearnEngine(population_size=50, generations=2)
    texts = [[one.original for one in engine.propose(rows, seed)] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_without_the_leak_no_test_row_has_any_influence():
    data, changed = (BreastCancer(split_seed=1, val_fraction=0.0) for _ in range(2))
    data.setup()
    frame = changed.table()
    frame.iloc[data.rows.test, :-1] = 1e6 * np.random.default_rng(0).normal(size=(len(data.rows.test), 30))
    leaking = [search_rows(one, leak=True).data_hash for one in (data, changed)]
    clean = [search_rows(one).data_hash for one in (data, changed)]
    assert clean[0] == clean[1]
    assert leaking[0] != leaking[1]


def test_rows_with_the_leak_are_the_table_itself():
    data = BreastCancer(split_seed=1)
    rows = search_rows(data, leak=True)
    table = data.table()
    assert np.array_equal(rows.x, table[data.feature_names].to_numpy())
    assert np.array_equal(search_rows(data).y, rows.y[data.rows.train])


def test_candidates_pass_through_the_gate():
    found = GplearnEngine(**SMALL).propose(rows_of(2), seed=0)
    gates = [check_function(Formula(one.formula).curve) for one in found]
    assert any(gate.passed for gate in gates)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 0}, "population_size is 0"),
        ({"generations": 1.5}, "generations is 1.5"),
        ({"keep": -1}, "keep is -1"),
        ({"sample": 0.0}, "sample is 0.0"),
        ({"sample": 1}, "sample is 1;"),
        ({"operators": ["sine"]}, "'sine'; nearest are"),
        ({"operators": "sin"}, "must be a list"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        GplearnEngine(**arguments)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "was given no rows"),
        (SearchRows(np.zeros((4, 1)), np.zeros(4, dtype=int), "binary"), "are of class 0"),
        (SearchRows(np.full((4, 1), np.nan), np.arange(4), "multiclass"), "missing or infinite"),
        (SearchRows(np.zeros((4, 1)), np.zeros(3), "regression"), r"\(4, 1\) and targets of shape \(3,\)"),
        (SearchRows(np.zeros((4, 1)), np.zeros(4), "survival"), "'survival'"),
    ],
)
def test_rows_that_cannot_be_fitted_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        GplearnEngine(sample=None).propose(rows, seed=0)


def test_a_sample_of_too_few_rows_is_refused():
    with pytest.raises(InputError, match=r"sample is 0.1, which is 1 of 12 rows"):
        GplearnEngine().propose(rows_of(2, count=12), seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"tournament": 3}, "nearest are tournament_size"), ({"init_method": "wild"}, "gplearn refuses")],
)
def test_options_that_gplearn_does_not_take_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        GplearnEngine(**SMALL, options=options).propose(rows_of(2), seed=0)


def test_without_gplearn_one_sentence_says_how_to_install_it(monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name.startswith("gplearn"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"pip install 'gplearn>=0\.4\.3'"):
        GplearnEngine(**SMALL).propose(rows_of(2), seed=0)
