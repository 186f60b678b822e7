"""The transfer study: halves that share no row, a search that sees one of them, tables of what was compared."""

import json
import sys
from argparse import Namespace
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axonlight.comparison.analysis import analyze

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _transfer_figure as figure  # noqa: E402
import _transfer_report as report  # noqa: E402
import _transfer_search as searching  # noqa: E402
import _transfer_sets as sets  # noqa: E402
import transfer as example  # noqa: E402

sys.path.remove(str(EXAMPLES))

THREE = ("covertype", "higgs", "digits")
# Rows: what was found on the set of the same place; columns: the sets.
SCORES = np.array([[0.90, 0.80, 0.70], [0.91, 0.85, 0.60], [0.70, 0.84, 0.95]])
KNOWN = {"relu": [0.88, 0.83, 0.65], "gelu": [0.6] * 3, "silu": [0.6] * 3, "ash": [0.6] * 3, "random_1": [0.5] * 3}


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def halves(name, root, folder):
    place = sets.write_halves(name, root, folder)
    return [pd.read_parquet(place / f"{half}.parquet") for half in sets.HALVES]


def test_halves_share_no_row_and_leave_none_out(tmp_path):
    from sklearn.datasets import load_digits

    search, evaluation = halves("digits", None, tmp_path)
    pixels, labels = load_digits(return_X_y=True)
    whole = sorted(map(tuple, np.column_stack([pixels, labels])))
    found = [sorted(map(tuple, half.to_numpy(np.float64))) for half in (search, evaluation)]
    assert sorted(found[0] + found[1]) == whole
    assert not set(found[0]) & set(found[1])
    counts = [np.bincount(half[sets.CLASS]) for half in (search, evaluation)]
    assert np.abs(counts[0] - counts[1]).max() <= 1


def test_copies_stay_in_one_half(tmp_path, data_root):
    search, evaluation = (
        {row.tobytes() for row in half.to_numpy(np.float64)} for half in halves("spambase", str(data_root), tmp_path)
    )
    assert len(search) + len(evaluation) == 4601 - 391
    assert not search & evaluation


def test_no_patient_is_in_both_halves(tmp_path, data_root):
    place = sets.write_halves("proteomics", str(data_root), tmp_path)
    search, evaluation = (
        set(pd.read_csv(place / half / "design_matrix.tsv", sep="\t")["sample"]) for half in sets.HALVES
    )
    whole = set(pd.read_csv(data_root / "proteomics" / "design_matrix.tsv", sep="\t")["sample"])
    assert search | evaluation == whole
    assert not search & evaluation
    assert abs(len(search) - len(evaluation)) <= 2


def test_searches_differ_in_rows_and_training_alone(tmp_path):
    asked = [searching.search_settings(name, tmp_path / name, 6) for name in sets.SETS]
    for one in asked:
        del one["name"], one["base"], one["metric"]
        one["stages"]["halving"].pop("epochs")
    assert all(one == asked[0] for one in asked)


def test_a_search_needs_no_evaluation_row(tmp_path):
    """It gives the same when the other half is not even there."""
    place = sets.write_halves("digits", None, tmp_path)
    (place / "evaluation.parquet").unlink()
    settings = searching.search_settings("digits", place, 3, epochs=1)
    found = searching.found_on("digits", settings, tmp_path / "search", workers=0)
    assert sum(found["rows"].values()) == len(pd.read_parquet(place / "search.parquet"))
    assert found["spec"] == f"formula({found['formula']}, normalize=true)"
    assert len(found["random"]) == searching.RANDOM
    (place / "search.parquet").unlink()  # a finished search is read
    again = searching.found_on("digits", settings, tmp_path / "search", workers=0)
    assert json.dumps(again) == json.dumps(found)  # NaN is not equal to NaN


def made_up(scores, tmp_path):
    """Return the matrix of these mean scores: three formulas, four known activations, a random one."""
    return _made_up(tuple(map(tuple, scores)), tmp_path.parent)


@cache
def _made_up(rows, folder):
    scores = np.array(rows)
    found = {
        name: {"formula": f"sin({'x' * (place + 1)})", "spec": f"formula(x+{place})"}
        for place, name in enumerate(THREE)
    }
    found[THREE[0]]["random"] = [{"formula": "cos(x)", "spec": "formula(cos(x))"}]
    arms = example.arms_of(found)
    assert list(arms) == [*(f"from_{name}" for name in THREE), *KNOWN]
    options = Namespace(epochs=None, workers=0)
    columns = {}
    for column, name in enumerate(THREE):
        fields = example.fields_of(name, arms, options, folder)
        means = [*scores[:, column], *(row[column] for row in KNOWN.values()), 0.4]
        columns[name] = analyze(fields, runs_of(fields, [*arms, report.FLOOR], means))
    return report.Matrix(found, columns)


def runs_of(fields, arms, means):
    noise = np.random.default_rng(0).normal(0, 1e-4, (len(arms), 10))
    noise -= noise.mean(1, keepdims=True)
    return pd.DataFrame(
        {"arm": arm, "repeat": repeat, "fold": fold, "seed": 0, "draw": None, "key": f"{arm} {repeat} {fold}"}
        | {"state": "done", fields.metrics[0]: mean + noise[place, 5 * repeat + fold]}
        | {"parameters": 7, "seconds": 1.0, "error": None}
        for place, (arm, mean) in enumerate(zip(arms, means, strict=True))
        for repeat in range(2)
        for fold in range(5)
    )


def test_the_general_activation_is_chosen_without_the_set_it_serves(tmp_path):
    matrix = made_up(SCORES, tmp_path)
    # On HIGGS and Digits from_higgs has ranks 1 and 2, from_digits 2 and 1, and the better mean.
    assert matrix.general("covertype", "found") == "from_digits"
    # On Covertype and HIGGS from_higgs has ranks 1 and 1.
    assert matrix.general("digits", "found") == "from_higgs"
    assert matrix.general("digits", "any") == "from_higgs"
    changed = SCORES.copy()
    changed[:, 2] = [0.1, 0.96, 0.2]
    assert made_up(changed, tmp_path).general("digits", "any") == "from_higgs"
    assert made_up(changed, tmp_path).general("covertype", "found") == "from_higgs"


def test_the_diagonal_is_held_against_all_assignments(tmp_path):
    # Ranks by column: (2, 1, 3), (3, 1, 2), (2, 3, 1); the diagonal has 2, 1, 1.
    ranks = np.array([[2, 3, 2], [1, 1, 3], [3, 2, 1]])
    sums = [ranks[list(order), range(3)].sum() for order in permutations(range(3))]
    assert made_up(SCORES, tmp_path).diagonal() == (pytest.approx(4 / 3), np.mean(np.array(sums) <= 4))
    best = np.eye(3) * 0.1 + 0.8
    assert made_up(best, tmp_path).diagonal() == (1.0, pytest.approx(1 / 6))


def test_tables_and_figure_hold_scores_and_verdicts(tmp_path):
    matrix = made_up(SCORES, tmp_path)
    shown = cells(report._matrix(matrix))
    by_arm = {row[0]: row for row in shown}
    assert by_arm["from covertype"][2:5] == ["**0.9000**", "0.8000 [worse]", "0.7000 [worse]"]
    assert by_arm["from higgs"][2:4] == ["0.9100 [better]", "**0.8500**"]
    assert by_arm["logistic regression"][2:] == ["0.4000", "0.4000", "0.4000", ""]
    (covertype,) = [row for row in cells(report._specialists(matrix)) if row[0] == "Covertype"]
    assert covertype[1].startswith("+0.0200 [+0.0")  # 0.90 less ReLU's 0.88
    assert covertype[5].startswith("+0.0950")  # less the mean of 0.91 and 0.70
    assert covertype[6].startswith("+0.4000")
    drawn = figure.draw_matrix(matrix, tmp_path / "matrix.png")
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert texts[:2] == ["0.900", "0.800 \u25bc"]
    assert (tmp_path / "matrix.png").stat().st_size > 10_000


@pytest.mark.slow
def test_a_trial_writes_its_page(tmp_path, data_root):
    options = ["--data.root", str(data_root), "--output", str(tmp_path), "--runs", str(tmp_path / "runs")]
    example.main([*options, "--sets", "spambase", "digits", "--epochs", "1", "--nodes", "3", "--workers", "0"])
    page = (tmp_path / "transfer.md").read_text()
    assert "<!-- end of matrix, trial -->" in page
    assert len([row for row in cells(page) if row[0].startswith("random ")]) == searching.RANDOM
