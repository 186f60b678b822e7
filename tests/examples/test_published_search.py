"""The published search with its leak and without: programs, sums, resumed runs, tables."""

import csv
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from axonlight.activations import Formula
from axonlight.discovery.engines import GplearnEngine, search_rows
from sklearn.metrics import roc_auc_score

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _published_search_report as tables  # noqa: E402
import published_search as example  # noqa: E402

sys.path.remove(str(EXAMPLES))


@pytest.fixture
def options(data_root, tmp_path):
    return example.Options(str(data_root), tmp_path, rows=400, epochs=1)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("sin(x) + x + (x + (x + (x - x))) - (x - x)", "3*x + sin(x)"),
        ("x - (sin(x) - (cos(x) - x))", "cos(x) - sin(x)"),
        ("x * (x + x)", "x * (x + x)"),
        ("x - x", "0"),
        ("0.25 - -x", "0.25 - (-x)"),
    ],
)
def test_sums_are_collected_and_keep_their_value(formula, expected):
    found = tables.as_sum(formula)
    assert found == expected
    x = torch.linspace(-3, 3, 31, dtype=torch.float64)
    if found != "0":
        assert torch.allclose(Formula(found).double()(x), Formula(formula).double()(x), atol=1e-12)


def test_straight_lines_are_counted():
    curves = tables._curves(["x + x", "x - (sin(x) - sin(x))", "sin(x)", "abs(x)", "cos(x - x)"])
    assert tables._straight(curves) == 3


def test_programs_see_each_feature_by_its_number():
    x = np.random.default_rng(0).normal(size=(7, 3))
    found = tables.evaluate_program("sub(mul(X2, cos(X0)), add(-0.5, abs(X1)))", x)
    assert np.array_equal(found, x[:, 2] * np.cos(x[:, 0]) - (-0.5 + np.abs(x[:, 1])))
    assert tables.evaluate_program("0.25", x).tolist() == [0.25] * 7


def test_with_one_seed_every_row_that_the_leaking_search_sees_is_a_test_row(options):
    data = example.load_data("spambase", 42, options)
    for leak, expected in ((True, 40), (False, 0)):
        rows = search_rows(data, leak=leak)
        seen, auroc = example.judge_program("X51", data, rows, leak, 40, 42)
        assert seen == expected
        x, y = data.test_dataloader().tensors
        assert auroc == pytest.approx(roc_auc_score(y, x[:, 51]), abs=1e-12)


def test_a_second_call_repeats_no_search_and_writes_the_same_tables(data_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(example, "GplearnEngine", partial(GplearnEngine, population_size=40, generations=2))
    arguments = ["--data.root", str(data_root), "--output", str(tmp_path), "--seeds", "2", "--rows", "400"]
    arguments += ["--epochs", "1"]
    example.main(arguments)
    page = (tmp_path / "neuro_symbolic.md").read_text()
    with (tmp_path / "published_search_400_rows_1_epochs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["mode"], line["seed"]) for line in lines] == [
        (mode, seed) for seed in ("42", "43") for mode in ("leak", "no leak", "line", "relu")
    ]
    assert all(0 < float(line["auroc"]) <= 1 for line in lines)
    assert [line["rows_drawn"] for line in lines] == ["40", "40", "0", "0"] * 2

    def fail(*_):
        raise AssertionError("a finished search is repeated")

    monkeypatch.setattr(example, "search", fail)
    example.main(arguments)
    assert (tmp_path / "neuro_symbolic.md").read_text() == page
    assert "with the leak minus training rows alone" in page
    assert "all 40 of them are test rows" in page
    capsys.readouterr()


def test_a_formula_that_overflows_counts_as_failed():
    failed = tables.Search("spambase", "leak", 42, "0", "0", formula="x")
    assert tables._mean([failed.auroc, 0.5]) == "0.5000 ± 0.0000 (1 failed)"
    assert tables._difference([failed, failed], [failed, failed], "auroc") == ""
    assert math.isnan(failed.auroc)
